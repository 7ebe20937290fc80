"""Claims on segments: which one runs next, and what becomes of it.

The ORDER BY of `claim_segment` is the scheduling policy. Every write of a worker names the fencing token of
its claim, so a late write changes nothing.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.analyses.models import Analysis, Segment
from domain.analyses.scheduling import BUSY
from domain.analyses.status import apply
from domain.analyses.transitions import TRANSITIONS, Action
from domain.holders import this_process
from domain.leases import Ending, Lease, expiry, lease_of
from domain.sql import fetch_rows, skip_locked

_CLAIM_TRIES = 3

_CLAIM_SEGMENT = """
UPDATE segments SET status = 'RUNNING', fence = fence + 1, attempts = attempts + 1,
    lease_expires_at = $1, holder = $2, frames_done = 0, counts = '{{}}'
WHERE status = 'WAITING' AND id = (
    SELECT s.id FROM segments s WHERE s.status = 'WAITING' AND s.analysis_id = (
        SELECT a.id FROM analyses a JOIN users u ON u.id = a.owner_id
        LEFT JOIN ({busy}) busy ON busy.owner_id = a.owner_id
        WHERE a.status IN ('QUEUED', 'RUNNING')
          AND EXISTS (SELECT 1 FROM segments w WHERE w.analysis_id = a.id AND w.status = 'WAITING')
          AND ($3 = 0 OR COALESCE(busy.pieces, 0) < $3)
        ORDER BY
          (SELECT COUNT(*) FROM segments r WHERE r.analysis_id = a.id AND r.status = 'RUNNING'),
          COALESCE(busy.pieces, 0), u.last_served_at, a.priority DESC, a.created_at, a.id
        LIMIT 1)
    ORDER BY s.number LIMIT 1 {skip_locked})
RETURNING id, fence, attempts, interruptions, analysis_id
"""


@dataclass(frozen=True)
class ClaimedSegment:
    """A segment that this worker may run, and the analysis it belongs to."""

    lease: Lease
    segment: Segment
    analysis: Analysis


async def claim_segment(lease_seconds: float, max_slots_per_user: int = 0) -> ClaimedSegment | None:
    """Claim the segment that should run next, or None when no analysis has one waiting.

    First come analyses with the fewest running segments, then owners with the fewest, then the owner who was
    served least lately, then priority, then age: with as many videos as slots each video has a slot, with
    fewer the idle slots help, and on a single slot owners take turns.
    """
    for _ in range(_CLAIM_TRIES):
        sql = _CLAIM_SEGMENT.format(busy=BUSY, skip_locked=skip_locked())
        rows = await fetch_rows(sql, expiry(lease_seconds), this_process(), max_slots_per_user)
        if rows:
            lease = lease_of("segments", rows[0])
            segment = await Segment.get_or_none(id=lease.id)
            analysis = await Analysis.get_or_none(id=UUID(str(rows[0]["analysis_id"])))
            if segment is None or analysis is None:
                continue
            try:
                await mark_running(analysis)
            except BaseException:
                with suppress(Exception):  # then its lease runs out
                    await release_segment(lease)
                raise
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
    if analysis.status in allowed and await apply(analysis.id, Action.START):
        analysis.status = target


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
    lease: Lease,
    frames_done: int,
    counts: Mapping[str, int],
    *,
    reused: bool = False,
    may_wait: bool = False,
) -> bool:
    """Record a segment's end and add what it found to the totals; False when the claim was lost.

    `reused` says that its detections were stored by an earlier analysis, `may_wait` that the next segments
    may be tracked together with it: only the last one makes a turn of the analysis due then.
    """
    async with in_transaction() as connection:
        rows = await fetch_rows(
            "UPDATE segments SET status = 'DONE', lease_expires_at = NULL, holder = NULL, frames_done = $1, "
            "counts = $2, last_failure = NULL WHERE id = $3 AND fence = $4 AND status = 'RUNNING' "
            "RETURNING analysis_id",
            frames_done,
            json.dumps(dict(counts)),
            lease.id,
            lease.fence,
            connection=connection,
        )
        if not rows:
            return False
        analysis_id = UUID(str(rows[0]["analysis_id"]))
        # The analysis before its totals: so does who tracks it, and two orders would be a deadlock.
        await fetch_rows(
            "UPDATE analyses SET frames_finished = frames_finished + $1, frames_reused = frames_reused + $2, "
            "advance_due = (advance_due OR $3 OR frames_finished + $1 >= frames_total) "
            "WHERE id = $4 RETURNING id",
            frames_done,
            frames_done if reused else 0,
            not may_wait,
            analysis_id,
            connection=connection,
        )
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
    return True


async def release_segment(lease: Lease, ending: Ending = Ending.ORDERLY, reason: str | None = None) -> bool:
    """Give a segment back: others may claim it. False when the claim was lost."""
    rows = await fetch_rows(
        "UPDATE segments SET status = 'WAITING', lease_expires_at = NULL, holder = NULL, frames_done = 0, "
        "counts = '{}', attempts = attempts - $1, interruptions = interruptions + $2, "
        "last_failure = COALESCE($3, last_failure) "
        "WHERE id = $4 AND fence = $5 AND status = 'RUNNING' RETURNING id",
        0 if ending is Ending.FAILED else 1,
        1 if ending is Ending.INTERRUPTED else 0,
        reason,
        lease.id,
        lease.fence,
    )
    return bool(rows)
