"""Joining clusters that average linkage leaves apart although two of their faces are very much alike.

A mean punishes variety: a face like one of its person's others, but less like the rest, may join the one
first and leave the rest behind. So two faces that were rightly together would come apart when a third comes.
Here clusters join, the highest mean first, while two of their faces are more alike than different people's
are, and the mean is still above nearly all of those of different people.

A join can bring two conditions together that each side met alone, so that pairs may become fit for joining
that were not. So pairs never join several at once: it is the best pair of all, one after the other.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

STRONG_MARGIN = 0.04
"""How far above the threshold the most similar faces of two clusters have to be.

With `mobilefacenet` (threshold 0.52) that is 0.56. Tracks of different people never passed 0.46 in the clips
of docs/people.md, "How well it tells people apart"; those of one person began at 0.57."""

FLOOR_MARGIN = 0.08
"""How far below the threshold the mean of two clusters may be.

With `mobilefacenet` that is 0.44. In the same clips 99.5 % of all pairs of different people were below
0.36."""

_BLOCK = 256
_STRONG = 1
_APART = 2


def join_strongly_linked(
    vectors: NDArray[np.float64],
    numbers: NDArray[np.int64],
    people: NDArray[np.int64],
    apart: Iterable[tuple[int, int]],
    threshold: float,
) -> NDArray[np.int64]:
    """Number the clusters anew after joining those that are strongly linked.

    Args:
        vectors: Of the faces, of shape (n, d), rounded so that sums and products are exact.
        numbers: Of each face its cluster, numbered without gaps in order of the clusters' smallest keys; the
            result is numbered in the same way.
        people: Of each face the person that somebody said it is of, or -1; two never come together.
        apart: Pairs of faces that never come together.
        threshold: Of average linkage.
    """
    count = int(numbers.max()) + 1
    sums = np.zeros((count, vectors.shape[1]))
    np.add.at(sums, numbers, vectors)
    sizes = np.bincount(numbers).astype(np.float64)
    floor = threshold - FLOOR_MARGIN
    # Joining makes no mean higher than the better of two was: whoever is far from everybody stays so.
    left = _near_to_some(sums, sizes, floor)
    if len(left) < 2:
        return numbers
    marks = _marks(vectors, numbers, left, threshold + STRONG_MARGIN)
    _mark_apart(marks, numbers, left, people, apart)
    linked = np.flatnonzero((marks == _STRONG).any(axis=1))
    if not len(linked):
        return numbers
    left = left[linked]
    joining = _Joining(sums[left], sizes[left], marks[np.ix_(linked, linked)])
    tops = np.arange(count)
    while (pair := joining.join_best(floor)) is not None:
        tops[tops == left[pair[1]]] = left[pair[0]]
    return np.unique(tops[numbers], return_inverse=True)[1].astype(np.int64)


class _Joining:
    """Clusters in order of their smallest key, and how each may join with each.

    A row's `best` is the mean with its nearest among those that it may join, or was when it was last looked
    up: never too small.
    """

    def __init__(
        self, sums: NDArray[np.float64], sizes: NDArray[np.float64], marks: NDArray[np.uint8]
    ) -> None:
        self._sums = sums
        self._sizes = sizes
        self._marks = marks
        self._best = np.full(len(sizes), -np.inf)
        self._nearest = np.zeros(len(sizes), np.int64)
        self._is_fresh = np.ones(len(sizes), bool)
        self._look_up(np.arange(len(sizes)))

    def join_best(self, floor: float) -> tuple[int, int] | None:
        """Join the second of a pair into the first; None where no mean reaches the floor."""
        # Of equals the first, in both: the pair with the smallest keys, and the smaller key first.
        while not self._is_fresh[one := int(self._best.argmax())]:
            self._look_up(np.asarray([one]))
        other = int(self._nearest[one])
        if self._best[one] < floor:
            return None
        marks = self._marks
        self._sums[one] += self._sums[other]
        self._sizes[one] += self._sizes[other]
        marks[one] |= marks[other]
        marks[:, one] = marks[one]
        marks[one, one] = _APART
        marks[other] = marks[:, other] = _APART
        self._best[other] = -np.inf
        self._is_fresh &= (self._nearest != one) & (self._nearest != other)
        self._is_fresh[other] = True
        self._look_up(np.asarray([one]))
        self._offer(one)
        return one, other

    def _look_up(self, rows: NDArray[np.int64]) -> None:
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            means = self._means(block)
            self._nearest[block] = means.argmax(axis=1)
            self._best[block] = means.max(axis=1)
            self._is_fresh[block] = True

    def _offer(self, row: int) -> None:
        """Let others know of a cluster that may be nearer to them now."""
        means = self._means(np.asarray([row]))[0]
        is_equal = (means == self._best) & (row < self._nearest) & self._is_fresh
        is_nearer = (means > self._best) | (is_equal & np.isfinite(means))
        self._best[is_nearer] = means[is_nearer]
        self._nearest[is_nearer] = row
        self._is_fresh |= is_nearer

    def _means(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean cosines of some clusters with all; minus infinity where they may not join."""
        means: NDArray[np.float64] = self._sums[rows] @ self._sums.T / (self._sizes[rows, None] * self._sizes)
        means[self._marks[rows] != _STRONG] = -np.inf
        return means


def _near_to_some(sums: NDArray[np.float64], sizes: NDArray[np.float64], floor: float) -> NDArray[np.int64]:
    """Clusters whose mean with another one reaches the floor."""
    is_near = np.zeros(len(sizes), bool)
    for start in range(0, len(sizes), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(sizes)))
        means = sums[rows] @ sums.T / (sizes[rows, None] * sizes)
        means[rows - start, rows] = -np.inf
        is_near[rows] = means.max(axis=1) >= floor
    return np.flatnonzero(is_near)


def _marks(
    vectors: NDArray[np.float64], numbers: NDArray[np.int64], left: NDArray[np.int64], strong: float
) -> NDArray[np.uint8]:
    """Which of the clusters that are left have faces as similar as that: of shape (k, k)."""
    sizes = np.bincount(numbers)[left]
    order = np.argsort(sizes, kind="stable")  # the largest last: it is compared with the others only
    place = np.full(int(numbers.max()) + 1, -1, np.int64)
    place[left[order]] = np.arange(len(left))
    faces = np.flatnonzero(place[numbers] >= 0)
    faces = faces[np.argsort(place[numbers[faces]], kind="stable")]
    clusters, vectors = place[numbers[faces]], vectors[faces]
    starts = np.concatenate([[0], np.cumsum(sizes[order])])
    linked = np.zeros((len(left), len(left)), bool)
    for start in range(0, int(starts[-2]), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(faces)))
        first = int(clusters[start])
        others = slice(int(starts[first + 1]), None)
        similar = vectors[block] @ vectors[others].T >= strong
        similar = np.logical_or.reduceat(similar, starts[first + 1 : -1] - starts[first + 1], axis=1)
        rows, edges = np.unique(clusters[block], return_index=True)
        linked[rows, first + 1 :] |= np.logical_or.reduceat(similar, edges, axis=0)
    marks = np.zeros(linked.shape, np.uint8)
    marks[np.ix_(order, order)] = linked | linked.T
    np.fill_diagonal(marks, _APART)
    return marks


def _mark_apart(
    marks: NDArray[np.uint8],
    numbers: NDArray[np.int64],
    left: NDArray[np.int64],
    people: NDArray[np.int64],
    apart: Iterable[tuple[int, int]],
) -> None:
    """Mark the clusters that never join: of two people, or with faces that never come together."""
    count = int(numbers.max()) + 1
    owners = np.full(count, -1, np.int64)
    np.maximum.at(owners, numbers, people)
    owners = owners[left]
    for row in np.flatnonzero(owners >= 0):
        marks[row, (owners >= 0) & (owners != owners[row])] |= _APART
    place = np.full(count, -1, np.int64)
    place[left] = np.arange(len(left))
    for one, other in apart:
        first, second = place[numbers[one]], place[numbers[other]]
        if first != second and first >= 0 and second >= 0:
            marks[first, second] |= _APART
            marks[second, first] |= _APART
