"""How far an analysis is: the figures that are asked for and pushed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import orjson
from redis.asyncio import Redis

from domain.analyses.counted import (
    LineCount,
    ZoneCount,
    line_counts,
    read_line_count,
    read_zone_count,
    zone_counts,
)
from domain.analyses.models import Analysis, AnalysisStatus, LabelTotal, Segment, SegmentStatus
from domain.analyses.remaining import active_seconds, remaining_seconds, units
from domain.sql import fetch_rows, is_postgres, placeholders

CHANNEL_PREFIX = "framewise:progress:"
"""Redis channel of an owner's progress: this prefix and the owner's id."""

_UNFINISHED_CEILING = 99.9


@dataclass(frozen=True)
class LabelCount:
    """Detections and distinct tracks of one label so far."""

    label: str
    detections: int
    tracks: int


@dataclass(frozen=True)
class ProgressSnapshot:
    """The state of an analysis at one moment; `progress` is 0 to 100."""

    analysis_id: UUID
    owner_id: UUID
    status: AnalysisStatus
    progress: float
    frames_done: int
    frames_total: int
    counts: tuple[LabelCount, ...]
    eta_seconds: float | None
    frames_per_second: float | None
    error_message: str | None
    line_counts: tuple[LineCount, ...] = ()
    zone_counts: tuple[ZoneCount, ...] = ()
    people_count: int = 0

    def to_json(self) -> bytes:
        """The snapshot as it travels between processes."""
        return orjson.dumps(asdict(self), default=str)  # ids from PostgreSQL are of asyncpg's own UUID type

    @classmethod
    def from_json(cls, data: bytes) -> "ProgressSnapshot":
        """Read what `to_json` wrote."""
        values: dict[str, Any] = orjson.loads(data)
        values["analysis_id"] = UUID(values["analysis_id"])
        values["owner_id"] = UUID(values["owner_id"])
        values["status"] = AnalysisStatus(values["status"])
        values["counts"] = tuple(LabelCount(**count) for count in values["counts"])
        values["line_counts"] = tuple(map(read_line_count, values.get("line_counts", ())))
        values["zone_counts"] = tuple(map(read_zone_count, values.get("zone_counts", ())))
        return cls(**values)


def snapshot_of(
    analysis: Analysis,
    totals: Sequence[LabelTotal],
    running: Sequence[Segment] = (),
    people_count: int = 0,
) -> ProgressSnapshot:
    """The snapshot that these rows make; `running` are the segments being worked on."""
    detections = Counter({total.label: total.detections for total in totals})
    tracks = {total.label: total.tracks for total in totals}
    for segment in running:
        detections.update(segment.counts)
    done, whole = units(analysis)
    if analysis.status == AnalysisStatus.SUCCEEDED:
        progress = 100.0
    else:
        progress = min(100 * done / whole, _UNFINISHED_CEILING) if whole else 0.0
    elapsed = active_seconds(analysis)
    computed = analysis.frames_done - min(analysis.frames_reused, analysis.frames_done)
    eta_seconds = remaining_seconds(analysis)
    return ProgressSnapshot(
        analysis_id=analysis.id,
        owner_id=analysis.owner_id,
        status=analysis.status,
        progress=round(progress, 2),
        frames_done=analysis.frames_done,
        frames_total=analysis.frames_total,
        counts=tuple(
            LabelCount(label, detections[label], tracks.get(label, 0)) for label in sorted(detections)
        ),
        eta_seconds=None if eta_seconds is None else round(eta_seconds, 1),
        frames_per_second=round(computed / elapsed, 2) if elapsed > 0 and computed else None,
        error_message=analysis.error_message,
        line_counts=line_counts(analysis),
        zone_counts=zone_counts(analysis),
        people_count=people_count,
    )


async def take_snapshot(analysis_id: UUID) -> ProgressSnapshot | None:
    """Read the present state, and raise the mark below which `frames_done` never falls again."""
    analysis = await Analysis.get_or_none(id=analysis_id)
    return None if analysis is None else (await take_snapshots([analysis]))[0]


async def take_snapshots(analyses: Sequence[Analysis]) -> list[ProgressSnapshot]:
    """The present state of each of these rows, with a constant number of statements to read it."""
    ids = [analysis.id for analysis in analyses]
    running: dict[UUID, list[Segment]] = {}
    for segment in await Segment.filter(analysis_id__in=ids, status=SegmentStatus.RUNNING):
        running.setdefault(UUID(str(segment.analysis_id)), []).append(segment)
    totals: dict[UUID, list[LabelTotal]] = {}
    for total in await LabelTotal.filter(analysis_id__in=ids):
        totals.setdefault(UUID(str(total.analysis_id)), []).append(total)
    reached = {one.id: _reached(one, running.get(one.id, [])) for one in analyses}
    await _raise_frames_done(
        {one.id: reached[one.id] for one in analyses if reached[one.id] > one.frames_done}
    )
    people = await _count_people([analysis.id for analysis in analyses if analysis.create_people])
    snapshots = []
    for analysis in analyses:
        analysis.frames_done = reached[analysis.id]
        of_analysis = (totals.get(analysis.id, []), running.get(analysis.id, []))
        snapshots.append(snapshot_of(analysis, *of_analysis, people.get(UUID(str(analysis.id)), 0)))
    return snapshots


async def _count_people(analysis_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many people each of these analyses has seen, in one statement; the register lies above analyses."""
    if not analysis_ids:
        return {}
    rows = await fetch_rows(
        "SELECT analysis_id, COUNT(DISTINCT person_id) AS people FROM appearances "  # noqa: S608 - placeholders
        f"WHERE analysis_id IN ({placeholders(len(analysis_ids))}) GROUP BY analysis_id",
        *analysis_ids,
    )
    return {UUID(str(row["analysis_id"])): row["people"] for row in rows}


def _reached(analysis: Analysis, running: Sequence[Segment]) -> int:
    reached = analysis.frames_finished + sum(segment.frames_done for segment in running)
    return min(max(reached, analysis.frames_done), analysis.frames_total or reached)


async def _raise_frames_done(reached: Mapping[UUID, int]) -> None:
    """Raise the marks of these analyses that are lower, in one statement."""
    if not reached:
        return
    cases: list[str] = []
    values: list[Any] = []
    for place, (analysis_id, frames_done) in enumerate(reached.items()):
        key, mark = f"${2 * place + 1}", f"${2 * place + 2}"
        cases.append(f"WHEN id = {key} AND frames_done < {mark} THEN {mark}")
        values += [analysis_id, frames_done]
    keys = ", ".join(f"${2 * place + 1}" for place in range(len(reached)))
    chosen = f"id IN ({keys})"
    if is_postgres():
        # In order, or two who raise the same marks might wait for each other for ever.
        chosen = f"id IN (SELECT id FROM analyses WHERE {chosen} ORDER BY id FOR UPDATE)"  # noqa: S608
    await fetch_rows(
        f"UPDATE analyses SET frames_done = CASE {' '.join(cases)} ELSE frames_done END "  # noqa: S608
        f"WHERE {chosen} RETURNING id",
        *values,
    )


async def publish(redis: Redis, snapshot: ProgressSnapshot) -> None:
    """Send a snapshot to whoever follows its owner's analyses."""
    await redis.publish(f"{CHANNEL_PREFIX}{snapshot.owner_id}", snapshot.to_json())
