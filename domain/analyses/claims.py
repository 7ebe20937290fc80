"""Claims on work: which segment runs next, and what becomes of it.

The ORDER BY of `claim_segment` is the whole scheduling policy. Every write of a worker names the fencing
token of its claim, so a late write changes nothing.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from tortoise.transactions import in_transaction

from domain.analyses.models import Analysis, Segment
from domain.analyses.transitions import TRANSITIONS, Action
from domain.leases import Lease, expiry, lease_of
from domain.sql import fetch_rows, skip_locked

_CLAIM_TRIES = 3

_CLAIM_SEGMENT = """
UPDATE segments SET status = 'RUNNING', fence = fence + 1, attempts = attempts + 1,
    lease_expires_at = $1, frames_done = 0, counts = '{{}}'
WHERE status = 'WAITING' AND id = (
    SELECT s.id FROM segments s WHERE s.status = 'WAITING' AND s.analysis_id = (
        SELECT a.id FROM analyses a
        WHERE a.status IN ('QUEUED', 'RUNNING')
          AND EXISTS (SELECT 1 FROM segments w WHERE w.analysis_id = a.id AND w.status = 'WAITING')
        ORDER BY
          (SELECT COUNT(*) FROM segments r WHERE r.analysis_id = a.id AND r.status = 'RUNNING'),
          (SELECT COUNT(*) FROM segments r JOIN analyses o ON o.id = r.analysis_id
             WHERE r.status = 'RUNNING' AND o.owner_id = a.owner_id),
          a.priority DESC, a.created_at, a.id
        LIMIT 1)
    ORDER BY s.number LIMIT 1 {skip_locked})
RETURNING id, fence, attempts, analysis_id
"""

_CLAIM_ADVANCE = """
UPDATE analyses SET fence = fence + 1, attempts = attempts + 1, lease_expires_at = $1, advance_due = $2
WHERE advance_due = $3 AND lease_expires_at IS NULL AND id = (
    SELECT a.id FROM analyses a JOIN videos v ON v.id = a.video_id
    WHERE a.advance_due = $3 AND a.lease_expires_at IS NULL AND a.status IN ('QUEUED', 'RUNNING')
      AND v.status <> 'PROBING'
    ORDER BY a.priority DESC, a.created_at, a.id LIMIT 1 {skip_locked})
RETURNING id, fence, attempts
"""


@dataclass(frozen=True)
class ClaimedSegment:
    """A segment that this worker may run, and the analysis it belongs to."""

    lease: Lease
    segment: Segment
    analysis: Analysis


async def claim_segment(lease_seconds: float) -> ClaimedSegment | None:
    """Claim the segment that should run next, or None when no analysis has one waiting.

    First come analyses with the fewest running segments, then owners with the fewest, then priority, then
    age: with as many videos as slots each video has a slot, with fewer the idle slots help.
    """
    for _ in range(_CLAIM_TRIES):
        sql = _CLAIM_SEGMENT.format(skip_locked=skip_locked())
        rows = await fetch_rows(sql, expiry(lease_seconds))
        if rows:
            lease = lease_of("segments", rows[0])
            segment = await Segment.get_or_none(id=lease.id)
            analysis = await Analysis.get_or_none(id=UUID(str(rows[0]["analysis_id"])))
            if segment is None or analysis is None:
                continue
            await mark_running(analysis)
            return ClaimedSegment(lease, segment, analysis)
        if not await has_claimable_segment():
            return None
    return None


async def has_claimable_segment() -> bool:
    """Whether a segment waits for a slot."""
    return bool(
        await fetch_rows(
            "SELECT 1 AS found FROM segments s JOIN analyses a ON a.id = s.analysis_id "
            "WHERE s.status = 'WAITING' AND a.status IN ('QUEUED', 'RUNNING') LIMIT 1"
        )
    )


async def mark_running(analysis: Analysis) -> None:
    """QUEUED → RUNNING, with its clock started; any other status stays."""
    allowed, target = TRANSITIONS[Action.START]
    if analysis.status not in allowed:
        return
    changed = await Analysis.filter(id=analysis.id, status__in=list(allowed)).update(
        status=target, running_since=time.time()
    )
    if changed:
        analysis.status = target
        await Analysis.filter(id=analysis.id, started_at=None).update(started_at=datetime.now(UTC))


async def record_segment_progress(
    lease: Lease, frames_done: int, counts: Mapping[str, int], lease_seconds: float
) -> bool:
    """Note how far a running segment is and extend its lease; False when it must stop."""
    rows = await fetch_rows(
        "UPDATE segments SET frames_done = $1, counts = $2, lease_expires_at = $3 "
        "WHERE id = $4 AND fence = $5 AND status = 'RUNNING' AND EXISTS "
        "(SELECT 1 FROM analyses a WHERE a.id = segments.analysis_id AND a.status = 'RUNNING') RETURNING id",
        frames_done,
        json.dumps(dict(counts)),
        expiry(lease_seconds),
        lease.id,
        lease.fence,
    )
    return bool(rows)


async def finish_segment(
    lease: Lease, frames_done: int, counts: Mapping[str, int], *, reused: bool = False
) -> bool:
    """Record a segment's end and add what it found to the totals; False when the claim was lost.

    `reused` says that its detections were stored by an earlier analysis.
    """
    async with in_transaction() as connection:
        rows = await fetch_rows(
            "UPDATE segments SET status = 'DONE', lease_expires_at = NULL, frames_done = $1, counts = $2, "
            "last_failure = NULL WHERE id = $3 AND fence = $4 AND status = 'RUNNING' RETURNING analysis_id",
            frames_done,
            json.dumps(dict(counts)),
            lease.id,
            lease.fence,
            connection=connection,
        )
        if not rows:
            return False
        analysis_id = UUID(str(rows[0]["analysis_id"]))
        for label, detections in sorted(counts.items()):
            await fetch_rows(
                "INSERT INTO label_totals (analysis_id, label, detections, tracks) VALUES ($1, $2, $3, 0) "
                "ON CONFLICT (analysis_id, label) DO UPDATE SET "
                "detections = label_totals.detections + excluded.detections RETURNING id",
                analysis_id,
                label,
                detections,
                connection=connection,
            )
        await fetch_rows(
            "UPDATE analyses SET frames_finished = frames_finished + $1, frames_reused = frames_reused + $2, "
            "advance_due = $3 WHERE id = $4 RETURNING id",
            frames_done,
            frames_done if reused else 0,
            True,
            analysis_id,
            connection=connection,
        )
    return True


async def release_segment(lease: Lease, failure: str | None = None) -> bool:
    """Give a segment back: others may claim it. Without `failure` the attempt does not count."""
    rows = await fetch_rows(
        "UPDATE segments SET status = 'WAITING', lease_expires_at = NULL, frames_done = 0, counts = '{}', "
        "attempts = attempts - $1, last_failure = COALESCE($2, last_failure) "
        "WHERE id = $3 AND fence = $4 AND status = 'RUNNING' RETURNING id",
        0 if failure else 1,
        failure,
        lease.id,
        lease.fence,
    )
    return bool(rows)


async def claim_advance(lease_seconds: float) -> tuple[Lease, Analysis] | None:
    """Claim an analysis that has something to plan, track or sum up."""
    rows = await fetch_rows(
        _CLAIM_ADVANCE.format(skip_locked=skip_locked()), expiry(lease_seconds), False, True
    )
    if not rows:
        return None
    lease = lease_of("analyses", rows[0])
    analysis = await Analysis.get_or_none(id=lease.id)
    return None if analysis is None else (lease, analysis)


async def release_advance(lease: Lease, *, due: bool, orderly: bool = True) -> bool:
    """Give the lease on an analysis back; `due` asks for another turn, `orderly` forgets past failures."""
    rows = await fetch_rows(
        "UPDATE analyses SET lease_expires_at = NULL, advance_due = (advance_due OR $1), "
        "attempts = CASE WHEN $2 THEN 0 ELSE attempts END WHERE id = $3 AND fence = $4 RETURNING id",
        due,
        orderly,
        lease.id,
        lease.fence,
    )
    return bool(rows)


async def plan_segments(lease: Lease, plans: list[tuple[dict[str, Any], int]], frames_total: int) -> bool:
    """Store the segments of an analysis, each a plan and its number of frames to analyse."""
    async with in_transaction() as connection:
        rows = await fetch_rows(
            "UPDATE analyses SET segment_count = $1, frames_total = $2, advance_due = $3 "
            "WHERE id = $4 AND fence = $5 AND segment_count IS NULL RETURNING id",
            len(plans),
            frames_total,
            False,
            lease.id,
            lease.fence,
            connection=connection,
        )
        if not rows:
            return False
        await Segment.bulk_create(
            [
                Segment(id=uuid4(), analysis_id=lease.id, number=number, plan=plan, frames_total=frames)
                for number, (plan, frames) in enumerate(plans)
            ],
            using_db=connection,
        )
    return True


async def forget_plan(video_id: UUID) -> None:
    """Start the unfinished analyses of a video anew: its timeline turned out to be another."""
    unfinished = "SELECT id FROM analyses WHERE video_id = $1 AND status IN ('QUEUED', 'RUNNING', 'PAUSED')"
    # Only constants are put into the statements below.
    async with in_transaction() as connection:
        await fetch_rows(
            "UPDATE analyses SET segment_count = NULL, tracked_segments = 0, frames_finished = 0, "  # noqa: S608
            "frames_reused = 0, "
            f"advance_due = $2, fence = fence + 1, lease_expires_at = NULL WHERE id IN ({unfinished}) "
            "RETURNING id",
            video_id,
            True,
            connection=connection,
        )
        for table in ("segments", "label_totals", "tracks"):
            await fetch_rows(
                f"DELETE FROM {table} WHERE analysis_id IN ({unfinished}) RETURNING id",  # noqa: S608
                video_id,
                connection=connection,
            )


async def sweep_expired(max_attempts: int) -> list[UUID]:
    """Make work claimable again whose worker went silent; give the analyses that ran out of attempts."""
    now = time.time()
    exhausted = await fetch_rows(
        "SELECT analysis_id AS id FROM segments WHERE status = 'RUNNING' AND lease_expires_at < $1 "
        "AND attempts >= $2 UNION SELECT id FROM analyses WHERE lease_expires_at < $1 AND attempts >= $2",
        now,
        max_attempts,
    )
    await fetch_rows(
        "UPDATE segments SET status = 'WAITING', lease_expires_at = NULL, frames_done = 0, counts = '{}', "
        "last_failure = COALESCE(last_failure, 'the worker went silent') "
        "WHERE status = 'RUNNING' AND lease_expires_at < $1 RETURNING id",
        now,
    )
    await fetch_rows(
        "UPDATE analyses SET lease_expires_at = NULL, advance_due = $2 "
        "WHERE lease_expires_at < $1 RETURNING id",
        now,
        True,
    )
    return [UUID(str(row["id"])) for row in exhausted]
