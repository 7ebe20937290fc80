"""Joining the next finished segment to the tracks of an analysis."""

from collections.abc import Callable, Coroutine
from typing import Any

from domain.analyses.files import tracked_key, tracker_state_key
from domain.analyses.models import Analysis, AnalysisStatus, Segment
from domain.analyses.tracks import TrackSummary, record_tracked_segment
from domain.leases import Lease
from domain.videos.models import Video
from ml_models.catalog import find_spec
from tasks.process.pool import AnalysisProcess
from tasks.process.protocol import Message, decode
from tasks.results.cache import detections_key
from tasks.runtime import Runtime
from tasks.steps.guarded import LostClaimError, guarded

_DEFAULT_FRAMES_PER_SECOND = 30.0


async def track_segment(
    runtime: Runtime, process: AnalysisProcess, lease: Lease, analysis: Analysis, video: Video, number: int
) -> None:
    """Number the detections of segment `number` and store them, the tracker, and the tracks so far."""
    segment = await Segment.get(analysis_id=analysis.id, number=number)
    spec = find_spec(analysis.ml_model)
    key = detections_key(video.sha256, segment.plan, analysis.frame_stride, spec.fingerprint())
    blobs = [await runtime.storage.get(key)]
    tracks: list[dict[str, Any]] = []
    if number > 0:
        left = decode(await runtime.storage.get(tracker_state_key(analysis.id, number - 1)))
        tracks = left.values["tracks"]
        blobs.extend(left.blobs)
    frames_per_second = (video.average_fps or _DEFAULT_FRAMES_PER_SECOND) / analysis.frame_stride
    values = {
        "tracker": analysis.tracker.value,
        "parameters": {"min_confidence": analysis.min_confidence, "frames_per_second": frames_per_second},
        "min_confidence": analysis.min_confidence,
        "labels": analysis.labels,
        "tracks": tracks,
    }

    async def work() -> dict[str, Any]:
        answer = await process.request(Message("track", values, blobs))
        table, state = answer.blobs
        await runtime.storage.put(tracked_key(analysis.id, number), table)
        packed = Message("tracker", {"tracks": answer.values["tracks"]}, [state]).encode()
        await runtime.storage.put(tracker_state_key(analysis.id, number), packed)
        return answer.values

    found = await guarded(work(), keep_advancing(runtime, lease, analysis))
    touched = set(found["touched"])
    summaries = [TrackSummary(**track) for track in found["tracks"] if track["track_id"] in touched]
    if not await record_tracked_segment(lease, number, summaries, found["tracks_by_label"]):
        raise LostClaimError
    if number > 1:
        await runtime.storage.delete(tracker_state_key(analysis.id, number - 2))


def keep_advancing(
    runtime: Runtime, lease: Lease, analysis: Analysis
) -> Callable[[], Coroutine[Any, Any, bool]]:
    """Whether work on an analysis goes on: its lease is ours and nobody paused or cancelled it."""

    async def keep() -> bool:
        if runtime.is_stopping or not await lease.renew(runtime.settings.lease_seconds):
            return False
        return await Analysis.filter(id=analysis.id, status=AnalysisStatus.RUNNING).exists()

    return keep
