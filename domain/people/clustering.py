"""Which faces are one person's: average linkage, the same whatever order the faces come in.

Two clusters join while the mean cosine between their faces is at least a threshold, most similar first. As
the mean of all pairs is the dot product of the two sums over the two sizes, sums are all that is kept (UPGMA:
Sokal and Michener, 1958). Joining makes no cluster more similar to a third than the better of the two was. So
pairs that are each other's nearest may join at once, and nothing else changes (Bruynooghe, 1977); and nearest
neighbours need to be found anew only when they may matter (Müllner, 2011). What that leaves apart although
two faces are very much alike joins in a second step: see strong_links.py.

Sums of floats depend on their order. Here they do not: embeddings are rounded to multiples of 1/4096, and all
sums and products of such are exact in float64, up to clusters of 20,000 faces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.people.strong_links import join_strongly_linked

STEPS = 4096.0
"""Embeddings are rounded to multiples of one over this: an error of 1e-4 of a cosine."""

_BLOCK = 256
_FEWEST_ROWS = 16


@dataclass(frozen=True)
class Faces:
    """What is to be clustered: n faces.

    Attributes:
        embeddings: float32 of shape (n, d), of length 1.
        keys: Of each face, made of what it is and not of when it came; ties are broken by them.
        people: int of shape (n,): the person that somebody said it is of, -1 where nobody did. Those of one
            person are together from the start, those of two never come together.
        apart: Pairs of faces that never come together unless somebody said so: seen side by side.
    """

    embeddings: NDArray[np.float32]
    keys: Sequence[Any]
    people: NDArray[np.int64]
    apart: Sequence[tuple[int, int]] = ()


def cluster(faces: Faces, threshold: float) -> NDArray[np.int64]:
    """Number the cluster of each face, int of shape (n,), from 0 in order of the clusters' smallest keys."""
    if not len(faces.keys):
        return np.empty(0, np.int64)
    linkage = _Linkage(faces, threshold)
    while linkage.join_nearest():
        pass
    rounded = np.rint(faces.embeddings.astype(np.float64) * STEPS) / STEPS
    return join_strongly_linked(rounded, linkage.numbers(), faces.people, faces.apart, threshold)


class _Linkage:
    """Clusters in order of their smallest key, those that can still join first and foremost.

    A row's `best` is how similar its nearest is, or was when it was last looked up: never too small.
    """

    def __init__(self, faces: Faces, threshold: float) -> None:
        count = len(faces.keys)
        self._threshold = threshold
        order = sorted(range(count), key=lambda face: faces.keys[face])
        rank = np.empty(count, np.int64)
        rank[order] = np.arange(count)
        self._top = _joined_from_the_start(faces.people, rank, count)
        """Of each face the rank of the cluster that it began in."""
        starts, members = np.unique(self._top, return_inverse=True)
        self._ids = starts
        """Rank of each active cluster, ascending: its smallest key's."""
        self._sums = np.zeros((len(starts), faces.embeddings.shape[1]))
        np.add.at(self._sums, members, np.rint(faces.embeddings.astype(np.float64) * STEPS))
        self._sizes = np.bincount(members).astype(np.float64)
        self._people = np.full(len(starts), -1, np.int64)
        np.maximum.at(self._people, members, faces.people)
        self._apart: dict[int, set[int]] = {}
        for one, other in faces.apart:
            first, second = int(self._top[one]), int(self._top[other])
            if first != second:
                self._apart.setdefault(first, set()).add(second)
                self._apart.setdefault(second, set()).add(first)
        self._parent = np.arange(count)
        self._best = np.full(len(starts), np.inf)
        self._nearest = np.full(len(starts), -1, np.int64)
        self._is_fresh = np.zeros(len(starts), bool)
        self._rows = len(starts)

    def join_nearest(self) -> bool:
        """Look up some nearest neighbours and join pairs that are each other's; False when all is done."""
        self._look_up()
        self._drop_finished()
        if not len(self._ids):
            return False
        here = np.arange(len(self._ids))
        nearest = self._nearest
        known = self._is_fresh & (nearest >= 0)
        mutual = known & known[nearest] & (nearest[nearest] == here) & (here < nearest)
        pairs = np.flatnonzero(mutual)
        self._rows = max(_FEWEST_ROWS, 4 * len(pairs))
        if len(pairs):
            self._join(pairs, nearest[pairs])
        return True

    def numbers(self) -> NDArray[np.int64]:
        """Of each face the number of its cluster."""
        tops = self._top
        while not np.array_equal(above := self._parent[tops], tops):
            tops = above
        return np.unique(tops, return_inverse=True)[1].astype(np.int64)

    def _look_up(self) -> None:
        stale = np.flatnonzero(~self._is_fresh)
        if len(stale) > self._rows:
            # The most promising are enough: the best pair of all is always among them in the end.
            stale = np.sort(stale[np.argsort(-self._best[stale], kind="stable")[: self._rows]])
        for start in range(0, len(stale), _BLOCK):
            rows = stale[start : start + _BLOCK]
            means = self._means(rows)
            nearest = means.argmax(axis=1)  # of equals the first: the one with the smallest key
            self._nearest[rows] = nearest
            self._best[rows] = means[np.arange(len(rows)), nearest]
            self._is_fresh[rows] = True

    def _means(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean cosines of some clusters with all; minus infinity where they may not join."""
        products = self._sums[rows] @ self._sums.T
        means: NDArray[np.float64] = products / (self._sizes[rows, None] * self._sizes) / STEPS**2
        means[np.arange(len(rows)), rows] = -np.inf
        named = np.flatnonzero(self._people >= 0)
        for place, row in enumerate(rows):
            person = self._people[row]
            if person >= 0:
                means[place, named[self._people[named] != person]] = -np.inf
            apart = self._apart.get(int(self._ids[row]))
            if apart:
                others = np.fromiter(apart, np.int64, len(apart))
                places = np.searchsorted(self._ids, others)
                places = places[places < len(self._ids)]
                means[place, places[np.isin(self._ids[places], others)]] = -np.inf
        return means

    def _drop_finished(self) -> None:
        """Those with nobody near enough never join: whom they are far from, they stay far from."""
        keep = ~self._is_fresh | (self._best >= self._threshold)
        if keep.all():
            return
        self._compact(keep)

    def _join(self, into: NDArray[np.int64], others: NDArray[np.int64]) -> None:
        self._sums[into] += self._sums[others]
        self._sizes[into] += self._sizes[others]
        self._people[into] = np.maximum(self._people[into], self._people[others])
        self._parent[self._ids[others]] = self._ids[into]
        for one, other in zip(self._ids[into].tolist(), self._ids[others].tolist(), strict=True):
            self._inherit_apart(one, other)
        joined = np.zeros(len(self._ids), bool)
        joined[into] = joined[others] = True
        self._is_fresh &= ~(joined | joined[self._nearest])
        keep = np.ones(len(self._ids), bool)
        keep[others] = False
        self._compact(keep)

    def _inherit_apart(self, one: int, other: int) -> None:
        for third in self._apart.pop(other, ()):
            self._apart[third].discard(other)
            self._apart[third].add(one)
            self._apart.setdefault(one, set()).add(third)

    def _compact(self, keep: NDArray[np.bool_]) -> None:
        places = np.cumsum(keep) - 1
        # A row whose nearest has gone is looked up anew: it is stale, or goes as well.
        self._nearest = places[self._nearest[keep]]
        for name in ("_ids", "_sums", "_sizes", "_people", "_best", "_is_fresh"):
            setattr(self, name, getattr(self, name)[keep])


def _joined_from_the_start(
    people: NDArray[np.int64], rank: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Of each face the smallest rank among those of the same person; its own where it has none."""
    if not (people >= 0).any():
        return rank.copy()
    first = np.full(int(people.max()) + 1, count, np.int64)
    np.minimum.at(first, people[people >= 0], rank[people >= 0])
    return np.where(people >= 0, first[people], rank)
