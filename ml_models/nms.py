"""Greedy non-maximum suppression."""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 256


def non_maximum_suppression(
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    max_iou: float,
    class_ids: NDArray[np.integer] | None = None,
) -> NDArray[np.intp]:
    """Indices of the boxes that remain, best score first (equal scores: in the given order).

    Goes through the boxes from the best score down and drops each that overlaps one kept before it. So what
    remains above any score does not depend on what lies below it.

    Args:
        boxes: (n, 4) corners x1, y1, x2, y2.
        scores: (n,)
        max_iou: Boxes that overlap more than this (intersection over union) are one thing.
        class_ids: (n,); where given, only boxes of the same class suppress each other.
    """
    order = np.argsort(-scores, kind="stable")
    if len(order) < 2:
        return order
    corners = boxes[order].astype(np.float64)
    classes = None if class_ids is None else class_ids[order]
    kept = np.empty(0, dtype=np.intp)
    for start in range(0, len(order), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(order)))
        if len(kept):
            block = block[~_overlaps(corners, classes, kept, block, max_iou).any(axis=0)]
        overlaps = _overlaps(corners, classes, block, block, max_iou)
        alive = np.ones(len(block), dtype=bool)
        for row in range(len(block)):
            if alive[row]:
                alive[row + 1 :] &= ~overlaps[row, row + 1 :]
        kept = np.concatenate((kept, block[alive]))
    return order[kept]


def _overlaps(
    boxes: NDArray[np.float64],
    classes: NDArray[np.integer] | None,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    max_iou: float,
) -> NDArray[np.bool_]:
    """Whether each box of `rows` overlaps each of `columns` too much: (rows, columns)."""
    a, b = boxes[rows, None], boxes[None, columns]
    sides = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    intersections = sides[..., 0] * sides[..., 1]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    too_much: NDArray[np.bool_] = intersections > max_iou * (
        areas[rows, None] + areas[None, columns] - intersections
    )
    if classes is not None:
        too_much &= classes[rows, None] == classes[None, columns]
    return too_much
