"""The index that is always there: every face of the account is compared, in memory."""

from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from domain.people.face_index.base import AbstractFaceIndex, PersonMatch
from domain.people.face_index.copies import FaceCopies, FaceCopy, shared_copies
from domain.people.face_index.ranking import FIRST_SHARE, first_of_each
from storage.cancellation import run_blocking

_FEW_FACES = 2000
"""So many are compared on the event loop, in less time than a thread takes to answer."""


class ScanFaceIndex(AbstractFaceIndex):
    """Compares with every face, exactly; see `copies` for what that takes of memory.

    Args:
        copies: Where the faces are kept; those that this process shares by default.
    """

    def __init__(self, copies: FaceCopies | None = None) -> None:
        self._copies = copies

    @override
    async def search(
        self, owner_id: UUID, embedding_model: str, vector: NDArray[np.float32], limit: int
    ) -> list[PersonMatch]:
        copies = self._copies or shared_copies()
        async with copies.fresh(owner_id, embedding_model) as copy:
            if copy.count <= _FEW_FACES:
                return best_matches(copy, vector, limit)
            return await run_blocking(best_matches, copy, vector, limit)


def best_matches(copy: FaceCopy, vector: NDArray[np.float32], limit: int) -> list[PersonMatch]:
    """The persons of a copy that are most like a face, each by the best appearance.

    Args:
        copy: The faces.
        vector: float32 (d,), of length 1.
        limit: Most persons.
    """
    if copy.count == 0 or limit <= 0:
        return []
    similarities = copy.embeddings @ vector
    share = limit * FIRST_SHARE
    while True:
        matches = first_of_each(_ranked(copy, similarities, share), limit)
        if len(matches) == limit or share >= copy.count:
            return matches
        share *= FIRST_SHARE


def _ranked(copy: FaceCopy, similarities: NDArray[np.float32], share: int) -> list[PersonMatch]:
    """So many of the most similar faces, and those that equal the last of them."""
    rows = np.arange(copy.count)
    if share < copy.count:
        least = np.partition(similarities, copy.count - share)[copy.count - share]
        rows = np.flatnonzero(similarities >= least)
    matches = [
        PersonMatch(copy.person_id(row), copy.appearance_id(row), similarity)
        for row, similarity in zip(rows.tolist(), similarities[rows].tolist(), strict=True)
    ]
    return sorted(matches, key=lambda match: (-match.similarity, match.appearance_id))
