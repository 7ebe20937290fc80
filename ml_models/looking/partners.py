"""Which detections of two looks are of one thing, and what lies between them."""

from typing import Any

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.base import MASK_RUNS, FloatArray

MIN_IOU = 0.5
"""What the boxes of one thing overlap at least, from one look to the next."""

POINTS = ("landmarks", "keypoints")
"""Data (n, k, 2) in pixels of the frame, that moves with its box."""


def partners(first: sv.Detections, second: sv.Detections, sure_confidence: float) -> NDArray[np.intp] | None:
    """Pairs (n, 2) of positions in `first` and `second`; None where the two do not agree.

    They agree if each sure detection of either has a partner of its own in the other: of the same label,
    sure or not, overlapping by `MIN_IOU` at least. Pairs of two sure ones are made first, then by overlap.
    """
    sure = tuple(_confidence(look) >= sure_confidence for look in (first, second))
    pairs = _pairs(first, second, sure[0], sure[1])
    for column, is_sure in enumerate(sure):
        is_sure[pairs[:, column]] = False
        if is_sure.any():
            return None
    return pairs


def _pairs(
    first: sv.Detections, second: sv.Detections, first_sure: NDArray[np.bool_], second_sure: NDArray[np.bool_]
) -> NDArray[np.intp]:
    if not len(first) or not len(second):
        return np.empty((0, 2), dtype=np.intp)
    overlaps = sv.box_iou_batch(first.xyxy, second.xyxy)
    overlaps[_class_id(first)[:, None] != _class_id(second)[None]] = 0
    rows, columns = np.nonzero(overlaps >= MIN_IOU)
    worth = overlaps[rows, columns] + first_sure[rows] + second_sure[columns]
    pairs: list[tuple[int, int]] = []
    taken: tuple[set[int], set[int]] = set(), set()
    for place in np.argsort(-worth, kind="stable"):
        row, column = int(rows[place]), int(columns[place])
        if row not in taken[0] and column not in taken[1]:
            pairs.append((row, column))
            taken[0].add(row)
            taken[1].add(column)
    return np.array(sorted(pairs), dtype=np.intp).reshape(-1, 2)


def between(
    first: sv.Detections, second: sv.Detections, pairs: NDArray[np.intp], share: float
) -> sv.Detections:
    """The detections at `share` of the way from one look to the other: boxes and points are interpolated.

    The confidence is the higher of the two, so that a thing seen at both ends does not flicker between them.
    Other data is that of the nearer end; its masks move with the centres of their boxes, by whole pixels.
    """
    left, right = pairs[:, 0], pairs[:, 1]
    nearer, picked = (first, left) if share < 0.5 else (second, right)
    data: dict[str, Any] = {name: np.asarray(values)[picked] for name, values in nearer.data.items()}
    for name in POINTS:
        if name in first.data and name in second.data:
            data[name] = _mixed(
                np.asarray(first.data[name])[left], np.asarray(second.data[name])[right], share
            )
    boxes = _mixed(first.xyxy[left], second.xyxy[right], share).reshape(-1, 4)
    if MASK_RUNS in data:
        data[MASK_RUNS] = moved_masks(data[MASK_RUNS], _centers(boxes) - _centers(nearer.xyxy[picked]))
    return sv.Detections(
        xyxy=boxes,
        confidence=np.maximum(_confidence(first)[left], _confidence(second)[right]),
        class_id=_class_id(nearer)[picked],
        data=data,
    )


def moved_masks(runs: Any, offsets: NDArray[Any]) -> NDArray[np.object_]:
    """The masks (n,), each moved by its offset (n, 2), rounded to whole pixels."""
    moved = np.empty(len(runs), dtype=np.object_)
    for place, (x, y) in enumerate(np.rint(offsets).astype(int).tolist()):
        moved[place] = runs[place].moved(x, y)
    return moved


def _centers(boxes: NDArray[Any]) -> NDArray[Any]:
    centers: NDArray[Any] = (boxes[:, :2] + boxes[:, 2:]) / 2
    return centers


def _mixed(first: NDArray[Any], second: NDArray[Any], share: float) -> FloatArray:
    mixed: FloatArray = (first * (1 - share) + second * share).astype(np.float32)
    return mixed


def _points(detections: sv.Detections, name: str) -> FloatArray:
    return np.asarray(detections.data[name], dtype=np.float32)


def _confidence(detections: sv.Detections) -> FloatArray:
    if detections.confidence is None:
        return np.ones(len(detections), dtype=np.float32)
    return np.asarray(detections.confidence, dtype=np.float32)


def _class_id(detections: sv.Detections) -> NDArray[np.int64]:
    if detections.class_id is None:
        return np.zeros(len(detections), dtype=np.int64)
    return np.asarray(detections.class_id, dtype=np.int64)
