"""Joining the next finished segment to the tracks of an analysis."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from typing import Any

from domain.analyses.advances import reopen_segment
from domain.analyses.files import tracked_key, tracker_state_key
from domain.analyses.models import Analysis, AnalysisStatus, Segment
from domain.analyses.options import TrackingOptions, read_options
from domain.analyses.tracks import TrackSummary, record_tracked_segment, restart_tracking
from domain.leases import Ending, Lease
from domain.videos.models import Video
from ml_models.catalog import find_spec
from storage.errors import FileMissingError
from tasks.process.errors import JobError
from tasks.process.limits import time_limit
from tasks.process.pool import AnalysisProcess
from tasks.process.protocol import Message, decode
from tasks.results.cache import detections_key
from tasks.runtime import Runtime
from tasks.steps.guarded import LostClaimError, guarded

log = logging.getLogger(__name__)

_DEFAULT_FRAMES_PER_SECOND = 30.0


class Tracked(Enum):
    """What came of tracking a segment."""

    DONE = "done"
    REOPENED = "reopened"
    """Its detections are gone from storage: it is detected again."""
    FROM_THE_START = "from the start"
    """The tracker's state is gone, or of another version of it: tracking begins anew."""


async def track_segments(
    runtime: Runtime,
    process: AnalysisProcess,
    lease: Lease,
    analysis: Analysis,
    video: Video,
    numbers: range,
) -> Tracked:
    """Number the detections of these segments and store them, the tracker, and the tracks so far."""
    segments = await Segment.filter(
        analysis_id=analysis.id, number__gte=numbers.start, number__lt=numbers.stop
    ).order_by("number")
    fingerprint = find_spec(analysis.ml_model).fingerprint()
    stored = await asyncio.gather(
        *(
            runtime.storage.get(
                detections_key(
                    video.sha256, segment.plan, analysis.frame_stride, fingerprint, analysis.detection_options
                )
            )
            for segment in segments
        ),
        return_exceptions=True,
    )
    blobs: list[bytes] = []
    for number, blob in zip(numbers, stored, strict=True):
        if isinstance(blob, FileMissingError):
            log.warning("detections of analysis %s are gone: they are computed again", analysis.id)
            return await _or_lost(reopen_segment(lease, number), Tracked.REOPENED)
        if isinstance(blob, BaseException):
            raise blob
        blobs.append(blob)
    tracks: list[dict[str, Any]] = []
    if numbers.start > 0:
        try:
            left = decode(await runtime.storage.get(tracker_state_key(analysis.id, numbers.start - 1)))
        except FileMissingError:
            log.warning("the tracker of analysis %s is gone: tracking begins anew", analysis.id)
            return await _or_lost(restart_tracking(lease), Tracked.FROM_THE_START)
        tracks = left.values["tracks"]
        blobs.extend(left.blobs)
    frames_per_second = (video.average_fps or _DEFAULT_FRAMES_PER_SECOND) / analysis.frame_stride
    values = {
        "tracker": analysis.tracker.value,
        "parameters": {
            "min_confidence": analysis.min_confidence,
            "frames_per_second": frames_per_second,
            **_chosen(analysis),
        },
        "min_confidence": analysis.min_confidence,
        "labels": analysis.labels,
        "tracks": tracks,
        "segments": len(segments),
    }
    limit = time_limit(runtime.settings, sum(segment.frames_total for segment in segments))

    async def work() -> dict[str, Any]:
        answer = await process.request(Message("track", values, blobs), limit=limit)
        *tables, state = answer.blobs
        packed = Message("tracker", {"tracks": answer.values["tracks"]}, [state]).encode()
        await asyncio.gather(
            *(
                runtime.storage.put(tracked_key(analysis.id, number), table)
                for number, table in zip(numbers, tables, strict=True)
            ),
            runtime.storage.put(tracker_state_key(analysis.id, numbers.stop - 1), packed),
        )
        return answer.values

    try:
        found = await guarded(work(), keep_advancing(runtime, lease, analysis))
    except JobError as error:
        again_and_again = lease.is_hopeless(Ending.INTERRUPTED, runtime.patience)
        if numbers.start == 0 or again_and_again or "TrackerStateError" not in error.kinds:
            raise
        log.warning("analysis %s: %s: tracking begins anew", analysis.id, error)
        return await _or_lost(restart_tracking(lease), Tracked.FROM_THE_START)
    touched = set(found["touched"])
    summaries = [TrackSummary(**track) for track in found["tracks"] if track["track_id"] in touched]
    await _or_lost(
        runtime.surely(
            "tracks",
            lambda: record_tracked_segment(
                lease, numbers.start, summaries, found["tracks_by_label"], count=len(numbers)
            ),
        ),
        Tracked.DONE,
    )
    if numbers.start > 0:
        await runtime.storage.delete(tracker_state_key(analysis.id, numbers.start - 1))
    return Tracked.DONE


def _chosen(analysis: Analysis) -> dict[str, Any]:
    """The tracker's parameters that the analysis sets."""
    options = read_options(TrackingOptions, analysis.tracking_options)
    return {name: value for name, value in vars(options).items() if value is not None}


async def _or_lost(write: Awaitable[bool], tracked: Tracked) -> Tracked:
    if not await write:
        raise LostClaimError
    return tracked


def keep_advancing(
    runtime: Runtime, lease: Lease, analysis: Analysis
) -> Callable[[], Coroutine[Any, Any, bool]]:
    """Whether work on an analysis goes on: its lease is ours and nobody paused or cancelled it."""

    async def keep() -> bool:
        if runtime.is_stopping or not await lease.renew(runtime.settings.lease_seconds):
            return False
        return await Analysis.filter(id=analysis.id, status=AnalysisStatus.RUNNING).exists()

    return keep
