"""Joining the next finished segment to the tracks of an analysis."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from enum import Enum
from typing import Any

from domain.analyses.advances import reopen_segment
from domain.analyses.files import tracked_key, tracker_state_key
from domain.analyses.models import Analysis, AnalysisStatus, Segment
from domain.analyses.options import TrackingOptions, read_options
from domain.analyses.tracks import TrackSummary, record_tracked_segment, restart_tracking
from domain.leases import Ending, Lease
from domain.videos.models import Video
from storage.errors import FileMissingError
from tasks.own_models.find import find_model
from tasks.process.errors import JobError
from tasks.process.limits import time_limit
from tasks.process.pool import AnalysisProcess
from tasks.process.protocol import Message
from tasks.results.cache import detections_key
from tasks.runtime import Runtime
from tasks.steps.guarded import LostClaimError, guarded
from tasks.steps.state import read_state

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
    fingerprint = (await find_model(analysis.ml_model)).fingerprint()
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
    edge = ""
    if numbers.start > 0:
        left = await read_state(runtime, tracker_state_key(analysis.id, numbers.start - 1))
        if left is None:
            log.warning("the tracker of analysis %s is gone: tracking begins anew", analysis.id)
            return await _or_lost(restart_tracking(lease), Tracked.FROM_THE_START)
        tracks, edge = left.values["tracks"], left.values.get("edge", "")
        blobs.extend(left.blobs)
    values = {
        "tracker": analysis.tracker.value,
        "parameters": _tracking_parameters(analysis, video),
        "counting": counting_request(analysis, segments),
        "min_confidence": analysis.min_confidence,
        "labels": analysis.labels,
        "tracks": tracks,
        "edge": edge,
        # A face that follows another one in the same place would become the same person.
        "ends_at_cuts": analysis.create_people,
        "size": [segments[0].plan["width"], segments[0].plan["height"]] if segments else None,
        "segments": len(segments),
    }
    limit = time_limit(runtime.settings, sum(segment.frames_total for segment in segments))

    async def work() -> dict[str, Any]:
        answer = await process.request(Message("track", values, blobs), limit=limit)
        tables, states = answer.blobs[: len(segments)], answer.blobs[len(segments) :]
        left = {name: answer.values[name] for name in ("tracks", "live", "edge")}
        packed = Message("tracker", left, states).encode()
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
                lease,
                numbers.start,
                summaries,
                found["tracks_by_label"],
                count=len(numbers),
                counted=found["counted"],
                frames_skipped=found["frames_skipped"],
            ),
        ),
        Tracked.DONE,
    )
    if numbers.start > 0:
        await runtime.storage.delete(tracker_state_key(analysis.id, numbers.start - 1))
    return Tracked.DONE


def _tracking_parameters(analysis: Analysis, video: Video) -> dict[str, Any]:
    """Of `ml_models.tracking.base.TrackingParameters`: those of the analysis, and what the video says."""
    options = read_options(TrackingOptions, analysis.tracking_options)
    return {
        "min_confidence": analysis.min_confidence,
        "frames_per_second": (video.average_fps or _DEFAULT_FRAMES_PER_SECOND) / analysis.frame_stride,
        **{name: value for name, value in vars(options).items() if value is not None},
    }


def counting_request(analysis: Analysis, segments: Sequence[Segment]) -> dict[str, Any] | None:
    """What to count, and how large frames are; None for nothing."""
    if analysis.counting is None or not segments:
        return None
    plan = segments[0].plan
    return {"shapes": analysis.counting, "width": plan["width"], "height": plan["height"]}


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
