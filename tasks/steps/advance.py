"""Moving an analysis on: plan its segments, join finished ones to tracks in order, sum up."""

import asyncio
import logging
import math
from typing import Any

from domain.analyses.claims import mark_running, plan_segments, release_advance
from domain.analyses.files import analysis_prefix
from domain.analyses.models import Analysis, Segment, SegmentStatus
from domain.analyses.service import fail_analysis
from domain.leases import Lease
from domain.videos.files import timeline_key
from domain.videos.models import Video, VideoStatus
from tasks.process.pool import AnalysisProcess, JobError, ProcessDiedError
from tasks.progress import push_progress
from tasks.runtime import Runtime
from tasks.steps.guarded import LostClaimError
from tasks.steps.summarise import summarise_analysis
from tasks.steps.track import track_segment

log = logging.getLogger(__name__)


async def advance_step(runtime: Runtime, process: AnalysisProcess, lease: Lease, analysis: Analysis) -> None:
    """Do what can be done now for a claimed analysis."""
    try:
        await _advance(runtime, process, lease, analysis)
    except LostClaimError:
        if not await release_advance(lease, due=True) and not await Analysis.filter(id=analysis.id).exists():
            await runtime.storage.delete_prefix(analysis_prefix(analysis.id))
        raise
    except JobError as error:
        log.error("advancing analysis %s failed: %s: %s", analysis.id, error.kind, error)
        await _after_failure(runtime, lease, analysis, str(error))
    except ProcessDiedError as error:
        await _after_failure(runtime, lease, analysis, str(error))
        raise


async def _after_failure(runtime: Runtime, lease: Lease, analysis: Analysis, failure: str) -> None:
    if lease.attempts >= runtime.settings.max_attempts:
        await fail_analysis(analysis.id, f"The results could not be put together: {failure}.")
        await push_progress(runtime, analysis.id, now=True)
    await release_advance(lease, due=True, orderly=False)


async def _advance(runtime: Runtime, process: AnalysisProcess, lease: Lease, analysis: Analysis) -> None:
    if analysis.segment_count is None:
        await _plan(runtime, lease, analysis)
        return
    await mark_running(analysis)
    video = await Video.get(id=analysis.video_id)
    finished = await _finished_prefix(analysis)
    for number in range(analysis.tracked_segments, finished):
        await track_segment(runtime, process, lease, analysis, video, number)
        await push_progress(runtime, analysis.id)
    if finished == analysis.segment_count:
        await summarise_analysis(runtime, process, lease, analysis, video)
        await push_progress(runtime, analysis.id, now=True)
    await release_advance(lease, due=False)


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
        await release_advance(lease, due=False)
        await push_progress(runtime, analysis.id, now=True)
        return
    data = await runtime.storage.get(timeline_key(video.id))
    plans = await asyncio.to_thread(_plans, data, analysis, runtime.settings.segment_seconds)
    if not plans:
        await fail_analysis(analysis.id, "The video has no frame between startSeconds and endSeconds.")
    else:
        await plan_segments(lease, plans, sum(frames for _, frames in plans))
    await release_advance(lease, due=False)
    await push_progress(runtime, analysis.id, now=True)
    await runtime.ring()


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
