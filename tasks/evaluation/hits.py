"""How many boxes are found at a threshold, and how many of those found are right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import supervision as sv

MIN_IOU = 0.5

_Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hits:
    """Boxes counted.

    Args:
        found: Boxes of the ground truth that were found.
        expected: Boxes of the ground truth.
        wrong: Boxes found that are none of it.
    """

    found: int = 0
    expected: int = 0
    wrong: int = 0

    def __add__(self, other: "Hits") -> "Hits":
        """Of both together."""
        return Hits(self.found + other.found, self.expected + other.expected, self.wrong + other.wrong)

    @property
    def recall(self) -> float | None:
        """The share of the ground truth that was found; None if there is none."""
        return self.found / self.expected if self.expected else None

    @property
    def precision(self) -> float | None:
        """The share of what was found that is right; None if nothing was found."""
        count = self.found + self.wrong
        return self.found / count if count else None


def count_hits(
    truth: _Boxes, is_ignored: npt.NDArray[np.bool_], found: _Boxes, confidences: Sequence[float]
) -> Hits:
    """Match what was found in a frame, of one label, with what is there, the surest first, as COCO does.

    Args:
        truth: (n, 4) what is there.
        is_ignored: (n,) what of it does not count; what lies in that by half is neither right nor wrong.
        found: (m, 4) what was found.
        confidences: (m,) of it.
    """
    wanted, ignored = truth[~is_ignored], truth[is_ignored]
    free = np.ones(len(wanted), dtype=bool)
    hits = wrong = 0
    for row in np.argsort(-np.asarray(confidences, dtype=np.float64), kind="stable"):
        box = found[row : row + 1]
        overlaps = sv.box_iou_batch(wanted, box)[:, 0] * free if len(wanted) else np.zeros(1)
        if overlaps.max() >= MIN_IOU:
            free[overlaps.argmax()] = False
            hits += 1
        elif not _lies_in(box[0], ignored):
            wrong += 1
    return Hits(hits, len(wanted), wrong)


def _lies_in(box: _Boxes, regions: _Boxes) -> bool:
    sides = np.minimum(regions[:, 2:], box[2:]) - np.maximum(regions[:, :2], box[:2])
    area = float(np.prod(box[2:] - box[:2]))
    return bool((np.prod(np.maximum(sides, 0), axis=1) >= MIN_IOU * area).any()) and area > 0
