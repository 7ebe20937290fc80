"""Pairs of persons who may be the same one."""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from domain.people.draft import Pair, pair_of
from domain.people.face_index.copies import FaceCopy, shared_copies
from domain.people.models import FaceRegister, PersonAnswer
from domain.sql import fetch_rows, in_batches, placeholders, stored_json, stored_uuid
from storage.cancellation import run_blocking

MOST_SUGGESTIONS = 200
"""Worked out at once; when they are answered, there may be more."""

_MOST_CANDIDATES = 2000
_BLOCK = 512
_MOST_REGISTERS = 64


@dataclass(frozen=True)
class Suggestion:
    """Two persons and the mean cosine between their appearances."""

    first_id: UUID
    second_id: UUID
    similarity: float


_Key = tuple[UUID, str, float]
_found: OrderedDict[_Key, tuple[tuple[int, int], list[Suggestion]]] = OrderedDict()
"""What was found last, with the version and epoch of the register that it was found in."""


async def same_person_suggestions(
    owner_id: UUID, first: int, *, embedding_model: str, least_similarity: float
) -> Sequence[Suggestion]:
    """The most similar pairs that nobody has answered yet, most similar first.

    Those who are seen side by side are no pair. As long as nothing changes, they are found once.

    Args:
        owner_id: Whose register it is.
        first: Most pairs, up to `MOST_SUGGESTIONS`.
        embedding_model: Only its embeddings are compared.
        least_similarity: The mean cosine from which on two people may be one.
    """
    register = await FaceRegister.get_or_none(id=owner_id)
    if register is None:
        return []
    key, state = (owner_id, embedding_model, least_similarity), (register.version, register.epoch)
    known = _found.get(key)
    if known is None or known[0] != state:
        known = (state, await _find(owner_id, embedding_model, least_similarity))
        _found[key] = known
        while len(_found) > _MOST_REGISTERS:
            _found.popitem(last=False)
    _found.move_to_end(key)
    return known[1][:first]


async def _find(owner_id: UUID, embedding_model: str, least_similarity: float) -> list[Suggestion]:
    answers = {
        (stored_uuid(one.first_person_id), stored_uuid(one.second_person_id))
        for one in await PersonAnswer.filter(owner_id=owner_id)
    }
    async with shared_copies().fresh(owner_id, embedding_model) as copy:
        people, means = await run_blocking(_means, copy)
    candidates = await run_blocking(_candidates, people, means, least_similarity, answers)
    found: list[Suggestion] = []
    for start in range(0, len(candidates), MOST_SUGGESTIONS):
        part = candidates[start : start + MOST_SUGGESTIONS]
        apart = await _seen_together({id_ for one in part for id_ in (one.first_id, one.second_id)})
        found += [one for one in part if (one.first_id, one.second_id) not in apart]
        if len(found) >= MOST_SUGGESTIONS:
            break
    return found[:MOST_SUGGESTIONS]


def _means(copy: FaceCopy) -> tuple[list[UUID], NDArray[np.float32]]:
    """The people, and the mean embedding of each: float32 of shape (people, d)."""
    if not copy.count:
        return [], np.empty((0, 0), np.float32)
    ids, members = np.unique(copy.person_ids.copy().view("V16").ravel(), return_inverse=True)
    order = np.argsort(members, kind="stable")
    starts = np.searchsorted(members[order], np.arange(len(ids)))
    sums = np.add.reduceat(copy.embeddings[order], starts, axis=0)
    means = (sums / np.bincount(members)[:, None]).astype(np.float32)
    return [UUID(bytes=id_.tobytes()) for id_ in ids], means


def _candidates(
    people: Sequence[UUID], means: NDArray[np.float32], least: float, answers: Collection[Pair]
) -> list[Suggestion]:
    # The mean of all pairs' cosines is the dot product of the two means.
    found: list[tuple[float, int, int]] = []
    for start in range(0, len(people), _BLOCK):
        block = means[start : start + _BLOCK] @ means[start:].T
        rows, columns = np.nonzero(np.triu(block >= least, 1))
        similarities = block[rows, columns]
        if len(rows) > _MOST_CANDIDATES + len(answers):
            best = np.argpartition(-similarities, _MOST_CANDIDATES + len(answers))
            best = best[: _MOST_CANDIDATES + len(answers)]
            rows, columns, similarities = rows[best], columns[best], similarities[best]
        triples = zip(similarities.tolist(), (rows + start).tolist(), (columns + start).tolist(), strict=True)
        found += triples
    found.sort(key=lambda one: (-one[0], one[1], one[2]))
    suggestions: list[Suggestion] = []
    for similarity, row, column in found:
        pair = pair_of(people[row], people[column])
        if pair not in answers:
            suggestions.append(Suggestion(*pair, round(min(similarity, 1.0), 3)))
            if len(suggestions) == _MOST_CANDIDATES:
                break
    return suggestions


async def _seen_together(person_ids: Collection[UUID]) -> set[Pair]:
    """Pairs of these people who are seen in the same frames in different places."""
    owners: dict[tuple[UUID, int], UUID] = {}
    beside: list[tuple[UUID, UUID, int]] = []
    for ids in in_batches(sorted(person_ids)):
        for row in await fetch_rows(
            "SELECT person_id, analysis_id, track_id, beside FROM appearances "  # noqa: S608 - placeholders
            f"WHERE person_id IN ({placeholders(len(ids))})",
            *ids,
        ):
            person_id, analysis_id = stored_uuid(row["person_id"]), stored_uuid(row["analysis_id"])
            owners[analysis_id, int(row["track_id"])] = person_id
            tracks = stored_json(row["beside"])
            beside += [(person_id, analysis_id, int(track_id)) for track_id in tracks]
    return {
        pair_of(person_id, owners[analysis_id, track_id])
        for person_id, analysis_id, track_id in beside
        if (analysis_id, track_id) in owners
    }
