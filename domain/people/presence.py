"""How long people are seen in a video."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.sql import fetch_values, stored_uuid

Interval = tuple[float, float]
"""From when to when."""


@dataclass(frozen=True)
class Presence:
    """The time of a video in which a person is seen, over all analyses of it together.

    Attributes:
        seconds: How long; what several tracks or analyses show counts once.
        share: Of the video's length, from 0 to 1; None while that is not known.
        intervals: When, in order and apart from each other.
    """

    seconds: float
    share: float | None
    intervals: tuple[Interval, ...]


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """The same times as intervals that do not touch each other, in order."""
    found: list[Interval] = []
    for first, last in sorted(intervals):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


async def read_presence(
    owner_id: UUID, video_id: UUID, person_ids: Sequence[UUID]
) -> dict[UUID, Presence] | None:
    """How long each of these people is seen in a video; None if the account has no such video."""
    found = await fetch_values(
        "SELECT duration_seconds FROM videos WHERE id = ? AND owner_id = ?", video_id, owner_id
    )
    if not found:
        return None
    duration: float | None = found[0][0]
    places = ", ".join("?" * len(person_ids))
    times: dict[UUID, list[Interval]] = {person_id: [] for person_id in person_ids}
    for person_id, first, last in await fetch_values(
        "SELECT person_id, first_seconds, last_seconds FROM appearances "  # noqa: S608 - placeholders
        f"WHERE video_id = ? AND owner_id = ? AND person_id IN ({places})",
        video_id,
        owner_id,
        *person_ids,
    ):
        times[stored_uuid(person_id)].append((first, last))
    return {person_id: _presence(intervals, duration) for person_id, intervals in times.items()}


def _presence(intervals: Iterable[Interval], duration: float | None) -> Presence:
    apart = joined(intervals)
    seconds = sum(last - first for first, last in apart)
    # The last frame may be shown beyond the length that a file tells.
    share = min(seconds / duration, 1.0) if duration else None
    return Presence(round(seconds, 6), share, tuple(apart))
