"""Claims on analyses as a whole: planning, tracking and summing up, one step after the other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from tortoise.transactions import in_transaction

from domain.analyses.models import Analysis, LabelTotal, Segment, SegmentStatus
from domain.holders import this_process
from domain.leases import Ending, Lease, expiry, lease_of
from domain.sql import fetch_rows, skip_locked

_CLAIM = """
UPDATE analyses SET fence = fence + 1, attempts = attempts + 1, lease_expires_at = $1, holder = $2,
    advance_due = $3
WHERE advance_due = $4 AND lease_expires_at IS NULL AND id = (
    SELECT a.id FROM analyses a JOIN videos v ON v.id = a.video_id
    WHERE a.owner_id = $5 AND a.advance_due = $4 AND a.lease_expires_at IS NULL
      AND a.status IN ('QUEUED', 'RUNNING') AND v.status <> 'PROBING'
    ORDER BY a.priority DESC, a.created_at, a.id LIMIT 1 {skip_locked})
RETURNING id, fence, attempts, interruptions
"""


async def claim_advance(owner_id: UUID, lease_seconds: float) -> tuple[Lease, Analysis] | None:
    """Claim an analysis of this account that has something to plan, track or sum up."""
    rows = await fetch_rows(
        _CLAIM.format(skip_locked=skip_locked()),
        expiry(lease_seconds),
        this_process(),
        False,
        True,
        owner_id,
    )
    if not rows:
        return None
    lease = lease_of("analyses", rows[0])
    analysis = await Analysis.get_or_none(id=lease.id)
    return None if analysis is None else (lease, analysis)


async def release_advance(
    lease: Lease, *, due: bool, ending: Ending = Ending.ORDERLY, reason: str | None = None
) -> bool:
    """Give the lease on an analysis back; `due` asks for another turn. An orderly end forgets failures."""
    rows = await fetch_rows(
        "UPDATE analyses SET lease_expires_at = NULL, holder = NULL, advance_due = (advance_due OR $1), "
        "attempts = CASE WHEN $2 = 'orderly' THEN 0 WHEN $2 = 'failed' THEN attempts ELSE attempts - 1 END, "
        "interruptions = CASE WHEN $2 = 'interrupted' THEN interruptions + 1 ELSE interruptions END, "
        "last_failure = COALESCE($3, last_failure) WHERE id = $4 AND fence = $5 RETURNING id",
        due,
        ending.value,
        reason,
        lease.id,
        lease.fence,
    )
    return bool(rows)


async def plan_segments(
    lease: Lease,
    plans: list[tuple[dict[str, Any], int]],
    frames_total: int,
    stored: Sequence[Mapping[str, int] | None] = (),
) -> bool:
    """Store the segments of an analysis, each a plan and its number of frames to analyse.

    `stored` tells for each the detections by label that an earlier analysis has left, and None for those
    that must be detected: the others are done.
    """
    known = [*stored, *[None] * (len(plans) - len(stored))]
    reused_frames = sum(
        frames for (_, frames), counts in zip(plans, known, strict=True) if counts is not None
    )
    async with in_transaction() as connection:
        rows = await fetch_rows(
            "UPDATE analyses SET segment_count = $1, frames_total = $2, frames_finished = $3, "
            "frames_reused = $3, advance_due = $4 "
            "WHERE id = $5 AND fence = $6 AND segment_count IS NULL RETURNING id",
            len(plans),
            frames_total,
            reused_frames,
            False,
            lease.id,
            lease.fence,
            connection=connection,
        )
        if not rows:
            return False
        await Segment.bulk_create(
            [
                _segment(lease.id, number, plan, frames, counts)
                for number, ((plan, frames), counts) in enumerate(zip(plans, known, strict=True))
            ],
            using_db=connection,
        )
        totals: Counter[str] = Counter()
        for counts in known:
            totals.update(counts or {})
        await LabelTotal.bulk_create(
            [
                LabelTotal(analysis_id=lease.id, label=label, detections=detections, tracks=0)
                for label, detections in sorted(totals.items())
            ],
            using_db=connection,
        )
    return True


def _segment(
    analysis_id: UUID, number: int, plan: dict[str, Any], frames: int, counts: Mapping[str, int] | None
) -> Segment:
    segment = Segment(id=uuid4(), analysis_id=analysis_id, number=number, plan=plan, frames_total=frames)
    if counts is not None:
        segment.status, segment.frames_done, segment.counts = SegmentStatus.DONE, frames, dict(counts)
    return segment


async def forget_plan(video_id: UUID) -> None:
    """Start the unfinished analyses of a video anew: its timeline turned out to be another."""
    unfinished = "SELECT id FROM analyses WHERE video_id = $1 AND status IN ('QUEUED', 'RUNNING', 'PAUSED')"
    # Only constants are put into the statements below.
    async with in_transaction() as connection:
        await fetch_rows(
            "UPDATE analyses SET segment_count = NULL, tracked_segments = 0, identified_segments = 0, "  # noqa: S608
            "frames_finished = 0, frames_reused = 0, frames_skipped = 0, counted = NULL, advance_due = $2, "
            "fence = fence + 1, lease_expires_at = NULL, holder = NULL "
            f"WHERE id IN ({unfinished}) RETURNING id",
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


async def reopen_segment(lease: Lease, number: int) -> bool:
    """Have a finished segment detected again, whose stored detections are gone; False for a lost claim."""
    async with in_transaction() as connection:
        rows = await fetch_rows(
            "UPDATE segments SET status = 'WAITING' WHERE analysis_id = $1 AND number = $2 "
            "AND status = 'DONE' AND EXISTS (SELECT 1 FROM analyses a WHERE a.id = $1 AND a.fence = $3) "
            "RETURNING frames_done, counts",
            lease.id,
            number,
            lease.fence,
            connection=connection,
        )
        if not rows:
            return False
        segment = await Segment.get(analysis_id=lease.id, number=number, using_db=connection)
        await fetch_rows(
            "UPDATE analyses SET frames_finished = frames_finished - $1, "
            "frames_reused = CASE WHEN frames_reused < $1 THEN 0 ELSE frames_reused - $1 END "
            "WHERE id = $2 RETURNING id",
            segment.frames_done,
            lease.id,
            connection=connection,
        )
        for label, detections in segment.counts.items():
            await fetch_rows(
                "UPDATE label_totals SET detections = detections - $1 WHERE analysis_id = $2 AND label = $3 "
                "RETURNING id",
                detections,
                lease.id,
                label,
                connection=connection,
            )
        await Segment.filter(id=segment.id).using_db(connection).update(frames_done=0, counts={})
    return True
