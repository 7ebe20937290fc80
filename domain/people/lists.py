"""Which people, appearances and changes there are: what lists of them are narrowed and ordered by."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.pages import Rows
from domain.people.names import name_key
from domain.people.personal_data import MAX_NAME_KEY_LENGTH
from domain.sql import StoredId, among, fetch_values, in_batches, stored_uuid

SEEN_IN = (
    """JOIN (SELECT DISTINCT person_id, video_id FROM appearances) AS seen ON seen.video_id = videos.id"""
)
"""Joins videos with whom they show: each video once for each person."""

CHANGES_OF_PEOPLE = "JOIN changed_people ON changed_people.change_id = person_changes.id"
"""Joins changes with whom they are about."""

_FILMED = "COALESCE(videos.recorded_at, videos.created_at)"
"""When a video shows people, as far as that is known."""

_MOST_ANALYSES = 100
"""In one statement."""


def filter_people(
    people: Rows,
    owner_id: UUID,
    *,
    name: str | None = None,
    video_id: UUID | None = None,
    seen_from: datetime | None = None,
    seen_to: datetime | None = None,
    unnamed: bool | None = None,
) -> Rows:
    """Those people of an account that meet every condition given.

    Args:
        people: All people of the account.
        owner_id: The account.
        name: Stands anywhere in their names, in any case, with any apostrophe; white space alone is nothing.
        video_id: They are seen in this video.
        seen_from: They are seen in a video that was filmed then or later, or came in where that is unknown.
        seen_to: They are seen in a video that was filmed, or came in, before.
        unnamed: Whether they have no name.
    """
    if name and name.strip():
        people = people.where(*_named(name))
    if unnamed is not None:
        people = people.where(f"name_key IS {'' if unnamed else 'NOT '}NULL")
    given = [
        (condition, value)
        for condition, value in (
            ("videos.id = ?", video_id),
            (f"{_FILMED} >= ?", seen_from),
            (f"{_FILMED} < ?", seen_to),
        )
        if value is not None
    ]
    if given:
        # Videos first: from them the index leads to whom they show, without reading an embedding.
        seen = " AND ".join(["videos.owner_id = ?", *[condition for condition, _ in given]])
        people = people.where(
            f"people.id IN (SELECT person_id FROM videos "  # noqa: S608 - constants and placeholders
            f"JOIN appearances ON appearances.video_id = videos.id WHERE {seen})",
            owner_id,
            *[value for _, value in given],
        )
    return people


def _named(part: str) -> tuple[str, *tuple[str, ...]]:
    """The condition that a name has this part, and its values."""
    key = name_key(part)
    if len(key) > MAX_NAME_KEY_LENGTH:
        return ("1 = 0",)  # SQLite compares with no pattern of any length
    escaped = key.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return "name_key LIKE ? ESCAPE '\\'", f"%{escaped}%"


async def people_of_tracks(
    owner_id: UUID, tracks: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], UUID]:
    """Whose the tracks are, each given by its analysis and number; those of nobody are left out."""
    numbers: dict[UUID, list[int]] = {}
    for analysis_id, track_id in tracks:
        numbers.setdefault(analysis_id, []).append(track_id)
    found: dict[tuple[UUID, int], UUID] = {}
    for part in in_batches(numbers, _MOST_ANALYSES):
        chosen = " OR ".join(
            f"analysis_id = ? AND track_id IN ({', '.join('?' * len(numbers[one]))})" for one in part
        )
        values: list[Any] = [value for one in part for value in (one, *numbers[one])]
        for analysis_id, track_id, person_id in await fetch_values(
            "SELECT analysis_id, track_id, person_id FROM appearances "  # noqa: S608 - likewise
            f"WHERE owner_id = ? AND person_id IS NOT NULL AND ({chosen})",
            owner_id,
            *values,
        ):
            found[stored_uuid(analysis_id), track_id] = stored_uuid(person_id)
    return found


async def read_faces(appearance_ids: Sequence[StoredId]) -> dict[StoredId, tuple[StoredId, int]]:
    """The analysis and the track of each of these appearances that are there, all ids as they are stored."""
    if not appearance_ids:
        return {}
    condition, values = among("id", appearance_ids)
    sql = f"SELECT id, analysis_id, track_id FROM appearances WHERE {condition}"  # noqa: S608 - likewise
    return {row[0]: (row[1], row[2]) for row in await fetch_values(sql, *values)}
