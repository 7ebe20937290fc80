"""What tracking the finished prefix of an analysis leaves in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
from tortoise.transactions import in_transaction

from domain.analyses.models import Track
from domain.leases import Lease
from domain.sql import fetch_rows


@dataclass(frozen=True)
class TrackSummary:
    """A track as far as it is known: its times, and how many detections with what confidence in sum."""

    track_id: int
    label: str
    first_seconds: float
    last_seconds: float
    detection_count: int
    confidence_sum: float


async def record_tracked_segment(
    lease: Lease,
    number: int,
    tracks: Sequence[TrackSummary],
    tracks_by_label: dict[str, int],
    *,
    count: int = 1,
    counted: dict[str, Any] | None = None,
    frames_skipped: int = 0,
) -> bool:
    """Store the tracks that segment `number` began or went on; False when the claim was lost.

    `tracks` hold whole tracks up to this segment, not differences: writing them twice changes nothing.
    `tracks_by_label` are distinct tracks so far, `counted` what lines and zones have counted. `count`
    segments from `number` on are recorded at once.
    """
    async with in_transaction() as connection:
        rows = await fetch_rows(
            "UPDATE analyses SET tracked_segments = $1, attempts = 1, counted = $5, "
            "frames_skipped = frames_skipped + $6 "
            "WHERE id = $2 AND fence = $3 AND tracked_segments = $4 RETURNING id",
            number + count,
            lease.id,
            lease.fence,
            number,
            None if counted is None else orjson.dumps(counted).decode(),
            frames_skipped,
            connection=connection,
        )
        if not rows:
            return False
        await Track.bulk_create(
            [
                Track(
                    id=uuid4(),
                    analysis_id=lease.id,
                    track_id=track.track_id,
                    label=track.label,
                    first_seconds=track.first_seconds,
                    last_seconds=track.last_seconds,
                    detection_count=track.detection_count,
                    confidence_sum=track.confidence_sum,
                )
                for track in tracks
            ],
            on_conflict=["analysis_id", "track_id"],
            update_fields=["last_seconds", "detection_count", "confidence_sum"],
            using_db=connection,
        )
        for label, count in tracks_by_label.items():
            await fetch_rows(
                "UPDATE label_totals SET tracks = $1 WHERE analysis_id = $2 AND label = $3 RETURNING id",
                count,
                lease.id,
                label,
                connection=connection,
            )
    return True


async def restart_tracking(lease: Lease) -> bool:
    """Forget every track, so that tracking begins anew; False when the claim was lost.

    It counts as an interruption: what cannot go on from its own state would begin anew for ever.
    """
    async with in_transaction() as connection:
        rows = await fetch_rows(
            "UPDATE analyses SET tracked_segments = 0, identified_segments = 0, counted = NULL, "
            "frames_skipped = 0, interruptions = interruptions + 1 "
            "WHERE id = $1 AND fence = $2 RETURNING id",
            lease.id,
            lease.fence,
            connection=connection,
        )
        if not rows:
            return False
        await Track.filter(analysis_id=lease.id).using_db(connection).delete()
        await fetch_rows(
            "UPDATE label_totals SET tracks = 0 WHERE analysis_id = $1 RETURNING id",
            lease.id,
            connection=connection,
        )
    return True
