"""Which boxes of two runs show the same thing."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PAIRS_AT_ONCE = 50_000
"""Bounds the memory that crowded frames take, and how long NumPy keeps other threads waiting."""


@dataclass(frozen=True)
class Pairs:
    """Rows of two lists of boxes that were given to each other, and their overlap.

    `first`, `second` (n,) int64 are row numbers, `iou` (n,) float64 lies above 0.
    """

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    iou: npt.NDArray[np.float64]


def match_boxes(
    first_groups: npt.NDArray[np.int64],
    first_boxes: npt.NDArray[np.float64],
    second_groups: npt.NDArray[np.int64],
    second_boxes: npt.NDArray[np.float64],
) -> Pairs:
    """Give each box at most one of the other list and of its group, greedily by overlap.

    The pair of the highest IoU is taken first, then the highest among the boxes that are left, and so on;
    of equal ones the pair that comes first.

    Args:
        first_groups: (n,) a number for what may be matched with each other, here frame and label.
        first_boxes: (n, 4) xmin, ymin, xmax, ymax.
        second_groups: (m,) likewise.
        second_boxes: (m, 4) likewise.
    """
    found = list(_overlapping(first_groups, first_boxes, second_groups, second_boxes))
    if not found:
        nothing = np.empty(0, dtype=np.int64)
        return Pairs(nothing, nothing, np.empty(0))
    first, second, iou = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((second, first, -iou))
    sizes = len(first_groups), len(second_groups)
    return _greedy(first[order], second[order], iou[order], sizes)


def _overlapping(
    first_groups: npt.NDArray[np.int64],
    first_boxes: npt.NDArray[np.float64],
    second_groups: npt.NDArray[np.int64],
    second_boxes: npt.NDArray[np.float64],
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
    by_group = np.argsort(second_groups, kind="stable")
    ordered = second_groups[by_group]
    starts = np.searchsorted(ordered, first_groups, side="left")
    counts = np.searchsorted(ordered, first_groups, side="right") - starts
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        done = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + PAIRS_AT_ONCE, side="right")))
        of_chunk = counts[begin:end]
        first = np.repeat(np.arange(begin, end), of_chunk)
        offsets = np.arange(int(of_chunk.sum())) - np.repeat(np.cumsum(of_chunk) - of_chunk, of_chunk)
        second = by_group[np.repeat(starts[begin:end], of_chunk) + offsets]
        iou = _iou(first_boxes[first], second_boxes[second])
        overlap = iou > 0
        yield first[overlap], second[overlap], iou[overlap]
        begin = end


def _iou(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Row by row, (n, 4) and (n, 4) to (n,)."""
    # Column by column: sums and products along rows of four take several times as long.
    left, top, right, bottom = first.T
    other_left, other_top, other_right, other_bottom = second.T
    width = np.minimum(right, other_right) - np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
    common = np.maximum(width, 0) * np.maximum(height, 0)
    area = (right - left) * (bottom - top)
    union = area + (other_right - other_left) * (other_bottom - other_top) - common
    iou: npt.NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return iou


def _greedy(
    first: npt.NDArray[np.int64],
    second: npt.NDArray[np.int64],
    iou: npt.NDArray[np.float64],
    sizes: tuple[int, int],
) -> Pairs:
    """Of pairs in order of preference; what is the best of both its boxes is taken, round after round."""
    taken: list[npt.NDArray[np.int64]] = []
    is_used = tuple(np.zeros(size, dtype=bool) for size in sizes)
    best = tuple(np.empty(size, dtype=np.int64) for size in sizes)
    left = np.arange(len(first))
    while len(left):
        a, b = first[left], second[left]
        # Of several values written to one place the last stays, here the one that comes first.
        best[0][a[::-1]] = left[::-1]
        best[1][b[::-1]] = left[::-1]
        is_best = (best[0][a] == left) & (best[1][b] == left)
        taken.append(left[is_best])
        is_used[0][a[is_best]] = True
        is_used[1][b[is_best]] = True
        left = left[~(is_used[0][a] | is_used[1][b])]
    rows = np.concatenate(taken) if taken else left
    return Pairs(first[rows], second[rows], iou[rows])
