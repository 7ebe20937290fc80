"""Moving an analysis on: plan its segments, join finished ones to tracks in order, sum up."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any

from domain.analyses.advances import plan_segments, release_advance
from domain.analyses.claims import mark_running
from domain.analyses.files import analysis_prefix
from domain.analyses.models import Analysis, Segment, SegmentStatus
from domain.analyses.status import fail_analysis
from domain.leases import Lease
from domain.videos.files import timeline_key
from domain.videos.models import Video, VideoStatus
from tasks.process.errors import ProcessDiedError
from tasks.process.pool import AnalysisProcess
from tasks.progress import push_progress
from tasks.runtime import Runtime
from tasks.steps.guarded import LostClaimError, guarded
from tasks.steps.identify import drop_strange_portraits, identify_segments
from tasks.steps.outcome import Outcome, outcome_of
from tasks.steps.precision import decide_precision
from tasks.steps.reuse import stored_counts
from tasks.steps.summarise import summarise_analysis
from tasks.steps.track import Tracked, track_segments

log = logging.getLogger(__name__)

TRACKED_AT_ONCE = 32
"""Most finished segments that are joined to the tracks in one go."""
IDENTIFY_SECONDS = 2.0
"""Least time between two goes of taking faces to people while an analysis runs: each go costs, and describes
faces that are described again when their tracks have ended."""


async def advance_step(runtime: Runtime, process: AnalysisProcess, lease: Lease, analysis: Analysis) -> None:
    """Do what can be done now for a claimed analysis."""
    try:
        due = await _advance(runtime, process, lease, analysis)
        await runtime.surely("an analysis", lambda: release_advance(lease, due=due))
    except LostClaimError:
        released = await runtime.surely("an analysis", lambda: release_advance(lease, due=True))
        if not released and not await Analysis.filter(id=analysis.id).exists():
            await runtime.storage.delete_prefix(analysis_prefix(analysis.id))
        raise
    except Exception as error:
        await _after_failure(runtime, lease, analysis, outcome_of(error))
        if isinstance(error, ProcessDiedError):
            raise


async def _after_failure(runtime: Runtime, lease: Lease, analysis: Analysis, outcome: Outcome) -> None:
    log.warning("advancing analysis %s: %s", analysis.id, outcome.reason)
    if outcome.holds_worker:
        runtime.hold(outcome.reason)
    released = await runtime.surely(
        "an analysis",
        lambda: release_advance(lease, due=True, ending=outcome.ending, reason=outcome.reason),
    )
    if released and outcome.ends_work(lease, runtime.patience):
        reason = outcome.told("Putting the results together", lease)
        await runtime.surely("an analysis", lambda: fail_analysis(analysis.id, reason))
        await push_progress(runtime, analysis.id, now=True)


async def _advance(runtime: Runtime, process: AnalysisProcess, lease: Lease, analysis: Analysis) -> bool:
    """Do it; whether another turn is due."""
    runtime.last_advanced[analysis.id] = time.monotonic()
    if analysis.segment_count is None:
        await _plan(runtime, lease, analysis)
        await analysis.refresh_from_db(["segment_count", "frames_total", "frames_finished", "status"])
        if not analysis.frames_finished:
            return False
    await mark_running(analysis)
    video = await Video.get(id=analysis.video_id)
    finished = await _finished_prefix(analysis)
    if not await _identify(runtime, process, lease, analysis, video, analysis.tracked_segments):
        return True
    for start in range(analysis.tracked_segments, finished, TRACKED_AT_ONCE):
        numbers = range(start, min(start + TRACKED_AT_ONCE, finished))
        tracked = await track_segments(runtime, process, lease, analysis, video, numbers)
        await push_progress(runtime, analysis.id, now=numbers.stop == analysis.segment_count)
        if tracked is not Tracked.DONE:
            return tracked is Tracked.FROM_THE_START
        if not await _identify(runtime, process, lease, analysis, video, numbers.stop):
            return True
    if finished == analysis.segment_count:
        runtime.last_advanced.pop(analysis.id, None)
        if analysis.create_people:
            await drop_strange_portraits(runtime, analysis.id)
        await summarise_analysis(runtime, process, lease, analysis, video)
        await push_progress(runtime, analysis.id, now=True)
    return False


async def _identify(
    runtime: Runtime,
    process: AnalysisProcess,
    lease: Lease,
    analysis: Analysis,
    video: Video,
    tracked: int,
) -> bool:
    """Take up the faces of so many segments, if they are to become people; False if that begins anew."""
    if _may_wait(runtime, analysis, tracked):
        return True
    while analysis.create_people and analysis.identified_segments < tracked:
        start = analysis.identified_segments
        numbers = range(start, min(start + TRACKED_AT_ONCE, tracked))
        if not await identify_segments(runtime, process, lease, analysis, video, numbers):
            return False
        analysis.identified_segments = numbers.stop
        await push_progress(runtime, analysis.id)
    return True


def _may_wait(runtime: Runtime, analysis: Analysis, tracked: int) -> bool:
    """Whether faces wait for a later go: only while segments are missing, for that one to come."""
    if not analysis.create_people or tracked == analysis.segment_count:
        runtime.last_identified.pop(analysis.id, None)
        return False
    now = time.monotonic()
    if now - runtime.last_identified.setdefault(analysis.id, now) < IDENTIFY_SECONDS:
        return True
    runtime.last_identified[analysis.id] = now
    return False


async def _finished_prefix(analysis: Analysis) -> int:
    """How many segments from the first on are all done."""
    open_numbers = (
        await Segment.filter(analysis_id=analysis.id)
        .exclude(status=SegmentStatus.DONE)
        .order_by("number")
        .limit(1)
        .values_list("number", flat=True)
    )
    return int(str(open_numbers[0])) if open_numbers else int(analysis.segment_count or 0)


async def _plan(runtime: Runtime, lease: Lease, analysis: Analysis) -> None:
    video = await Video.get(id=analysis.video_id)
    if video.status == VideoStatus.REJECTED:
        await fail_analysis(analysis.id, f"The video was rejected: {video.rejection_reason}")
    else:
        data = await runtime.storage.get(timeline_key(video.id))
        plans = await asyncio.to_thread(_plans, data, analysis, runtime.settings.segment_seconds)
        if plans:
            await decide_precision(runtime, lease, analysis)
            reading = stored_counts(runtime, analysis, video, [plan for plan, _ in plans])
            counts = await guarded(reading, _keep_planning(runtime, lease))
            await plan_segments(lease, plans, sum(frames for _, frames in plans), counts)
        else:
            await fail_analysis(analysis.id, "The video has no frame between startSeconds and endSeconds.")
    await push_progress(runtime, analysis.id, now=True)
    await runtime.ring()


def _keep_planning(runtime: Runtime, lease: Lease) -> Callable[[], Coroutine[Any, Any, bool]]:
    """Planning goes on while its lease is ours; it is short enough to be done also for what is paused."""

    async def keep() -> bool:
        return not runtime.is_stopping and await lease.renew(runtime.settings.lease_seconds)

    return keep


def _plans(
    timeline_bytes: bytes, analysis: Analysis, segment_seconds: float
) -> list[tuple[dict[str, Any], int]]:
    """Bounds of each segment and how many of its frames the stride keeps; none where it keeps none."""
    from media.segments import default_target_seconds, plan_segments
    from media.timeline import Timeline

    timeline = Timeline.from_bytes(timeline_bytes)
    plans = plan_segments(
        timeline,
        target_seconds=segment_seconds or default_target_seconds(timeline.duration_seconds),
        start_seconds=analysis.start_seconds,
        end_seconds=analysis.end_seconds,
    )
    result: list[tuple[dict[str, Any], int]] = []
    for plan in plans:
        values: dict[str, Any] = vars(plan)
        frames = frames_kept(plan.first_frame_index, plan.frame_count, analysis.frame_stride)
        if frames:
            result.append((values, frames))
    return result


def frames_kept(first_frame_index: int, frame_count: int, frame_stride: int) -> int:
    """How many frame indices from the first on are multiples of the stride."""
    end = first_frame_index + frame_count
    return math.ceil(end / frame_stride) - math.ceil(first_frame_index / frame_stride)
