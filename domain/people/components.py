"""Which faces may have to do with each other: groups between which no two faces are similar.

A group may hold more than is connected, never less: who was once linked stays linked. That changes nothing of
what is clustered within it.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_BLOCK = 64


class Components:
    """Groups of the rows of a matrix of embeddings, found as far as they are asked for.

    Args:
        threshold: The cosine from which on two rows are linked.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._group: NDArray[np.int64] = np.empty(0, np.int64)
        self._is_looked_up: NDArray[np.bool_] = np.empty(0, bool)
        self._members: dict[int, list[int]] = {}
        self._unlinked: set[int] = set()
        """Rows that are new where others may have been looked up before."""

    def grow(self, count: int, *, are_late: bool) -> None:
        """Make room for rows up to `count`; those that come after others were looked up are late."""
        old = len(self._group)
        if count <= old:
            return
        self._group = np.concatenate([self._group, np.arange(old, count)])
        self._is_looked_up = np.concatenate([self._is_looked_up, np.zeros(count - old, bool)])
        self._members.update((row, [row]) for row in range(old, count))
        if are_late:
            self._unlinked.update(range(old, count))

    def change(self, row: int) -> None:
        """Note that a row has another embedding now."""
        self._is_looked_up[row] = False
        self._unlinked.add(row)

    def look_up(
        self, rows: Iterable[int], embeddings: NDArray[np.float32], is_there: NDArray[np.bool_]
    ) -> None:
        """Link rows with all that are similar to them, where that was not done yet."""
        wanted = [row for row in rows if not self._is_looked_up[row]]
        for start in range(0, len(wanted), _BLOCK):
            block = wanted[start : start + _BLOCK]
            similar = embeddings[block] @ embeddings.T >= self._threshold
            similar &= is_there
            for row, near in zip(block, similar, strict=True):
                self.link([row, *np.unique(self._group[near]).tolist()])
        self._is_looked_up[wanted] = True
        self._unlinked.difference_update(wanted)

    def link(self, rows: Sequence[int]) -> None:
        """Make the groups of rows one."""
        groups = sorted({int(self._group[row]) for row in rows}, key=lambda group: -len(self._members[group]))
        for group in groups[1:]:
            joined = self._members.pop(group)
            self._group[joined] = groups[0]
            self._members[groups[0]].extend(joined)

    def around(
        self,
        rows: Iterable[int],
        embeddings: NDArray[np.float32],
        is_there: NDArray[np.bool_],
        most: int | None = None,
    ) -> tuple[list[int], bool]:
        """All rows of the groups of some rows, and True.

        Where these are more than `most`, and nobody knows yet how many: those found so far, and False.
        """
        self.look_up(sorted(row for row in self._unlinked if is_there[row]), embeddings, is_there)
        self._unlinked.clear()
        rows = list(rows)
        self.look_up([row for row in rows if is_there[row]], embeddings, is_there)
        groups: set[int] = set()
        is_whole = True
        while is_whole:
            found = {int(self._group[row]) for row in rows}
            if found == groups:
                break
            groups = found
            is_whole = most is None or sum(len(self._members[group]) for group in groups) <= most
            for group in sorted(groups) if is_whole else ():
                self._complete(group, embeddings, is_there)
        return sorted(row for group in groups for row in self._members[group]), is_whole

    def _complete(self, group: int, embeddings: NDArray[np.float32], is_there: NDArray[np.bool_]) -> None:
        while group in self._members:
            members = np.asarray(self._members[group])
            missing = members[~self._is_looked_up[members] & is_there[members]]
            if not len(missing):
                return
            self.look_up(missing.tolist(), embeddings, is_there)
            group = int(self._group[members[0]])
