"""Detecting in one segment."""

import asyncio
import logging
import time
from typing import Any

from domain.analyses.advances import forget_plan
from domain.analyses.claims import (
    ClaimedSegment,
    finish_segment,
    record_segment_progress,
    release_segment,
)
from domain.analyses.models import Analysis
from domain.analyses.status import fail_analysis
from domain.leases import Ending
from domain.videos.files import timeline_key
from domain.videos.models import Video
from domain.videos.service import replace_timeline
from ml_models.catalog import MLModelSpec
from ml_models.weights import ensure_weights
from storage.errors import FileMissingError
from tasks.own_models.find import find_model, provide_weights, uploaded_spec_values
from tasks.process.errors import JobError, ProcessDiedError
from tasks.process.limits import segment_time_limit, time_limit
from tasks.process.pool import AnalysisProcess
from tasks.process.protocol import Message
from tasks.progress import push_progress
from tasks.results.cache import detections_key
from tasks.results.table import detection_counts
from tasks.runtime import Runtime
from tasks.steps.guarded import LostClaimError, guarded
from tasks.steps.outcome import Outcome, outcome_of

log = logging.getLogger(__name__)

TRACK_SECONDS = 0.5
"""Least time between two turns of tracking while segments are missing: each costs as much as ten frames."""
_NEXT_TIMELINE_KIND = {"PACKETS": "FRAMES", "FRAMES": "SEQUENTIAL"}
"""What to try when the frames of a segment are not those of the timeline."""

_PERMANENT = frozenset(
    {
        "MediaError",
        "WeightsError",
        "PluginError",
        "ExtraMissingError",
        "UnknownModelError",
        "ModelLoadError",
        "ModelOutputError",
    }
)
"""Errors that a second try cannot mend."""


async def detect_step(runtime: Runtime, process: AnalysisProcess, claim: ClaimedSegment) -> None:
    """Run the model over a claimed segment, or take what an earlier run stored."""
    analysis, segment = claim.analysis, claim.segment
    video = await Video.get_or_none(id=analysis.video_id)
    if video is None:
        return
    await push_progress(runtime, analysis.id)
    key = None
    try:
        spec = await find_model(analysis.ml_model)
        key = detections_key(
            video.sha256, segment.plan, analysis.frame_stride, spec.fingerprint(), analysis.detection_options
        )
        stored = await _stored_counts(runtime, analysis, key)
        if stored is not None:
            await _finish(runtime, claim, segment.frames_total, stored, reused=True)
        else:
            await _detect_or_recount(runtime, process, claim, video, key)
    except LostClaimError:
        await runtime.surely("a segment", lambda: release_segment(claim.lease))
        if key is not None and not await Video.filter(sha256=video.sha256).exists():
            await runtime.storage.delete(key)
        raise
    except Exception as error:
        await _after_failure(runtime, claim, outcome_of(error, _PERMANENT))
        if isinstance(error, ProcessDiedError):
            raise
        return
    await push_progress(runtime, analysis.id)


async def _stored_counts(runtime: Runtime, analysis: Analysis, key: str) -> dict[str, int] | None:
    try:
        data = await runtime.storage.get(key)
    except FileMissingError:
        return None
    return detection_counts(data, analysis.min_confidence, analysis.labels)


async def _detect_or_recount(
    runtime: Runtime, process: AnalysisProcess, claim: ClaimedSegment, video: Video, key: str
) -> None:
    """Detect; where the frames are not those of the timeline, count them anew instead."""
    try:
        await _detect(runtime, process, claim, video, key)
    except JobError as error:
        if error.kind != "TimelineMismatchError":
            raise
        await _rebuild_timeline(runtime, process, claim, video)


async def _detect(
    runtime: Runtime, process: AnalysisProcess, claim: ClaimedSegment, video: Video, key: str
) -> None:
    settings, analysis = runtime.settings, claim.analysis
    progress: dict[str, Any] = {}

    async def work() -> dict[str, Any]:
        spec = await find_model(analysis.ml_model)
        if spec.weights is not None:
            weights_dir, mirror = settings.resolved_weights_dir(), settings.resolved_weights_mirror()
            await provide_weights(runtime.storage, spec, weights_dir)
            await asyncio.to_thread(ensure_weights, spec, weights_dir, mirror)
        limit = segment_time_limit(settings, claim.segment.plan, claim.segment.frames_total)
        answer = await process.request(await _request(runtime, claim, video, spec), progress.update, limit)
        await runtime.storage.put(key, answer.blobs[0])
        return answer.values

    async def keep() -> bool:
        if runtime.is_stopping:
            return False
        kept = await record_segment_progress(
            claim.lease, progress.get("frames_done", 0), progress.get("counts", {}), settings.lease_seconds
        )
        if kept and progress:
            await push_progress(runtime, analysis.id)
        return kept

    found = await guarded(work(), keep, look_seconds=settings.progress_interval_seconds)
    await _finish(runtime, claim, found["frames_done"], found["counts"])


async def _finish(
    runtime: Runtime, claim: ClaimedSegment, frames: int, counts: dict[str, int], *, reused: bool = False
) -> None:
    """Record the end of the segment; LostClaimError if it was recorded already, or somebody else's turn."""
    done = await runtime.surely(
        "a segment",
        lambda: finish_segment(
            claim.lease, frames, counts, reused=reused, may_wait=_may_wait(runtime, claim.analysis)
        ),
    )
    if not done:
        raise LostClaimError


def _may_wait(runtime: Runtime, analysis: Analysis) -> bool:
    """Whether segments were tracked a moment ago: this one is tracked together with the next ones."""
    last = runtime.last_advanced.get(analysis.id)
    return last is not None and time.monotonic() - last < TRACK_SECONDS


async def _request(runtime: Runtime, claim: ClaimedSegment, video: Video, spec: MLModelSpec) -> Message:
    settings, analysis = runtime.settings, claim.analysis
    return Message(
        "detect",
        {
            "source": await runtime.storage.source(str(video.storage_key)),
            "plan": claim.segment.plan,
            "time_base": video.time_base,
            "frame_stride": analysis.frame_stride,
            "thread_count": settings.decode_threads(),
            "ml_model": spec.name,
            "ml_model_spec": uploaded_spec_values(spec),
            "fingerprint": spec.fingerprint(),
            "weights_dir": str(settings.resolved_weights_dir()),
            "models_dir": str(settings.resolved_models_dir()),
            "weights_mirror": settings.resolved_weights_mirror(),
            "device": settings.device,
            "min_confidence": analysis.min_confidence,
            "labels": analysis.labels,
            "detection_options": analysis.detection_options,
        },
    )


async def _rebuild_timeline(
    runtime: Runtime, process: AnalysisProcess, claim: ClaimedSegment, video: Video
) -> None:
    """Count the frames of the video by decoding it, and plan its analyses anew."""
    kind = _NEXT_TIMELINE_KIND.get(str(video.timeline_kind))
    if kind is None:
        reason = "The video decodes differently each time it is read: its file is damaged."
        await _after_failure(runtime, claim, Outcome(Ending.FAILED, reason, is_final=True))
        return
    log.info("the frames of video %s are not what its packets promise: decoding it to count them", video.id)

    async def keep() -> bool:
        counts = dict(claim.segment.counts)
        return not runtime.is_stopping and await record_segment_progress(
            claim.lease, 0, counts, runtime.settings.lease_seconds
        )

    source = await runtime.storage.source(str(video.storage_key))
    limit = time_limit(runtime.settings, video.frame_count or 0)
    request = Message("scan", {"source": source, "kind": kind})
    answer = await guarded(process.request(request, limit=limit), keep)
    await runtime.storage.put(timeline_key(video.id), answer.blobs[0])
    await replace_timeline(video.id, answer.values["timeline_kind"], answer.values["frame_count"])
    await forget_plan(video.id)
    await runtime.ring()


async def _after_failure(runtime: Runtime, claim: ClaimedSegment, outcome: Outcome) -> None:
    lease, number = claim.lease, claim.segment.number
    log.warning("segment %d of analysis %s: %s", number, claim.analysis.id, outcome.reason)
    if outcome.holds_worker:
        runtime.hold(outcome.reason)
    released = await runtime.surely(
        "a segment", lambda: release_segment(lease, outcome.ending, outcome.reason)
    )
    if released and outcome.ends_work(lease, runtime.patience):
        reason = outcome.told(f"Segment {number}", lease)
        await runtime.surely("an analysis", lambda: fail_analysis(claim.analysis.id, reason))
        await push_progress(runtime, claim.analysis.id, now=True)
