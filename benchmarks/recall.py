"""How much of what one run found another one finds too."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from tasks.results.table import SegmentTable

MIN_IOU = 0.5

Boxes = dict[int, list[tuple[str, float, tuple[float, float, float, float]]]]
"""Frame index → label, confidence and corners of each box."""


@dataclass(frozen=True)
class Recall:
    """How many boxes there are to be found, and how many are found."""

    found: int
    expected: int

    @property
    def share(self) -> float:
        """1 if there is nothing to be found."""
        return self.found / self.expected if self.expected else 1.0


def boxes_of(tables: Sequence[SegmentTable], min_confidence: float) -> Boxes:
    """The boxes of a run that reach the threshold."""
    boxes: Boxes = {}
    for table in tables:
        columns = ("frame_index", "label", "confidence", "x1", "y1", "x2", "y2")
        rows = zip(*(table.detections[name].to_pylist() for name in columns), strict=True)
        for index, label, confidence, *corners in rows:
            if confidence >= min_confidence:
                x1, y1, x2, y2 = corners
                boxes.setdefault(index, []).append((label, confidence, (x1, y1, x2, y2)))
    return boxes


def only(boxes: Boxes, label: str) -> Boxes:
    """Those of one label."""
    return {index: [box for box in found if box[0] == label] for index, found in boxes.items()}


def recall(expected: Boxes, found: Boxes, min_iou: float = MIN_IOU) -> Recall:
    """How many of the expected boxes have one of their own of the same label in the same frame."""
    pairs = sum(len(list(matches(boxes, found.get(index, []), min_iou))) for index, boxes in expected.items())
    return Recall(pairs, sum(map(len, expected.values())))


def matches(
    expected: Sequence[tuple[str, float, tuple[float, ...]]],
    found: Sequence[tuple[str, float, tuple[float, ...]]],
    min_iou: float,
) -> Iterator[tuple[int, int]]:
    """Pairs of boxes of one label, those that overlap most first; each box is in one pair at most."""
    if not expected or not found:
        return
    overlaps: NDArray[np.float64] = sv.box_iou_batch(
        np.array([box for *_, box in expected]), np.array([box for *_, box in found])
    )
    labels = np.array([label for label, *_ in expected])[:, None] == np.array([label for label, *_ in found])
    rows, columns = np.nonzero(labels & (overlaps >= min_iou))
    taken: tuple[set[int], set[int]] = set(), set()
    for place in np.argsort(-overlaps[rows, columns], kind="stable"):
        row, column = int(rows[place]), int(columns[place])
        if row not in taken[0] and column not in taken[1]:
            taken[0].add(row)
            taken[1].add(column)
            yield row, column


def agreed(runs: Mapping[str, Boxes], min_iou: float, min_runs: int = 2) -> Boxes:
    """The boxes that at least so many runs agree on, each once, as the first of these runs has it."""
    names = list(runs)
    result: Boxes = {}
    for index in sorted(set().union(*runs.values())):
        rest = {name: list(runs[name].get(index, [])) for name in names}
        for place, name in enumerate(names):
            partners = dict.fromkeys(range(len(rest[name])), 1)
            for other in names[place + 1 :]:
                for row, column in sorted(
                    matches(rest[name], rest[other], min_iou), key=lambda pair: -pair[1]
                ):
                    partners[row] += 1
                    del rest[other][column]
            kept = [rest[name][row] for row, count in partners.items() if count >= min_runs]
            result.setdefault(index, []).extend(kept)
    return result
