"""From faces in order of similarity to persons."""

from collections.abc import Iterable
from uuid import UUID

from domain.people.face_index.base import PersonMatch

FIRST_SHARE = 8
"""Faces that are ranked first, for each person wanted; as many times more each time they are too few."""


def first_of_each(ranked: Iterable[PersonMatch], limit: int) -> list[PersonMatch]:
    """The first match of each person, of so many persons.

    Args:
        ranked: Faces, the most similar first.
        limit: Most persons.
    """
    found: dict[UUID, PersonMatch] = {}
    for match in ranked:
        if len(found) >= limit:
            break
        found.setdefault(match.person_id, match)
    return list(found.values())
