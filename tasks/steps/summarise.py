"""Summing up an analysis: its result files and overlay, and its end."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from domain.analyses.files import (
    CROPS_FILE,
    OVERLAY_FILE,
    PICTURE_FILES,
    RESULT_FILES,
    PictureKind,
    ResultFormat,
    crops_key,
    identifier_states_prefix,
    overlay_key,
    picture_key,
    result_key,
    tracked_key,
    tracker_states_prefix,
)
from domain.analyses.models import Analysis, LabelTotal, Segment, Track
from domain.analyses.options import DetectionOptions, TrackingOptions, camel_case, read_options
from domain.analyses.remaining import note_drawing_has_not_begun
from domain.analyses.status import apply
from domain.analyses.transitions import Action
from domain.leases import Lease
from domain.videos.files import timeline_key
from domain.videos.models import Video
from tasks.process.limits import summary_time_limit
from tasks.process.pool import AnalysisProcess
from tasks.process.protocol import Message
from tasks.progress import push_progress
from tasks.runtime import Runtime
from tasks.scratch import scratch_folder
from tasks.steps.guarded import LostClaimError, guarded
from tasks.steps.track import counting_request, keep_advancing


async def summarise_analysis(
    runtime: Runtime, process: AnalysisProcess, lease: Lease, analysis: Analysis, video: Video
) -> None:
    """Write and store the results of an analysis whose segments are all tracked; SUCCEEDED."""
    progress: dict[str, Any] = {}

    async def work(folder: Path) -> None:
        values = {
            "source": await runtime.storage.source(str(video.storage_key)),
            "tracked": await _local_copies(runtime, analysis, folder),
            "folder": str(folder),
            "formats": {
                result_format.value: RESULT_FILES[result_format][0] for result_format in ResultFormat
            },
            "summary": await _summary(analysis, video),
            "overlay": OVERLAY_FILE if analysis.overlay else None,
            "crops": CROPS_FILE if analysis.crops else None,
            "pictures": {kind.value: name for kind, name in PICTURE_FILES.items()}
            if analysis.pictures
            else None,
            "counting": counting_request(
                analysis, await Segment.filter(analysis_id=analysis.id).order_by("number").limit(1)
            ),
            "present": await _present(analysis),
            "frame_stride": analysis.frame_stride,
            "thread_count": runtime.settings.decode_threads(),
        }
        reads_video = analysis.overlay or analysis.crops or analysis.pictures
        blobs = [await runtime.storage.get(timeline_key(video.id))] if reads_video else []
        frames = (video.frame_count or 0) * (analysis.overlay + analysis.crops) or analysis.frames_total
        size_bytes = video.size_bytes if analysis.overlay else 0
        limit = summary_time_limit(runtime.settings, frames, size_bytes)
        await process.request(Message("summarise", values, blobs), progress.update, limit)
        for result_format in ResultFormat:
            path = folder / RESULT_FILES[result_format][0]
            await runtime.storage.put_file(result_key(analysis.id, result_format), path)
        if analysis.overlay:
            await runtime.storage.put_file(overlay_key(analysis.id), folder / OVERLAY_FILE)
        if analysis.crops:
            await runtime.storage.put_file(crops_key(analysis.id), folder / CROPS_FILE)
        for kind in PictureKind if analysis.pictures else ():
            await runtime.storage.put_file(picture_key(analysis.id, kind), folder / PICTURE_FILES[kind])

    if analysis.overlay:
        await note_drawing_has_not_begun(analysis.id, lease.fence)
    async with _scratch_folder(runtime) as folder:
        await guarded(work(folder), _keep(runtime, lease, analysis, progress))
    if not await runtime.surely("an analysis", lambda: _succeed(lease, analysis)):
        raise LostClaimError
    await runtime.storage.delete_prefix(tracker_states_prefix(analysis.id))
    await runtime.storage.delete_prefix(identifier_states_prefix(analysis.id))


async def _succeed(lease: Lease, analysis: Analysis) -> bool:
    changed = await Analysis.filter(id=analysis.id, fence=lease.fence).update(
        has_overlay=analysis.overlay, frames_done=analysis.frames_total
    )
    return bool(changed) and await apply(analysis.id, Action.SUCCEED, fence=lease.fence)


def _keep(
    runtime: Runtime, lease: Lease, analysis: Analysis, progress: dict[str, Any]
) -> Callable[[], Coroutine[Any, Any, bool]]:
    may_go_on = keep_advancing(runtime, lease, analysis)

    async def keep() -> bool:
        frames = progress.get("overlay_frames_done", 0)
        if analysis.overlay and not frames:  # still writing results, or cutting out crops
            await note_drawing_has_not_begun(analysis.id, lease.fence)
        if frames and await Analysis.filter(id=analysis.id, overlay_frames_done__lt=frames).update(
            overlay_frames_done=frames
        ):
            await push_progress(runtime, analysis.id)
        return await may_go_on()

    return keep


async def _present(analysis: Analysis) -> list[int] | None:
    """How many are in each zone at the end, as the tracking counted: `analysis` may be older than that."""
    if analysis.counting is None:
        return None
    counted = (await Analysis.get(id=analysis.id)).counted
    return None if counted is None else [zone["occupancy"] for zone in counted["zones"]]


async def _summary(analysis: Analysis, video: Video) -> dict[str, Any]:
    """What the JSON result says before its frames."""
    totals = await LabelTotal.filter(analysis_id=analysis.id).order_by("label")
    tracks = await Track.filter(analysis_id=analysis.id).order_by("track_id")
    return {
        "video": {
            "filename": video.filename,
            "sha256": video.sha256,
            "width": video.width,
            "height": video.height,
            "durationSeconds": video.duration_seconds,
            "frameCount": video.frame_count,
            "averageFps": video.average_fps,
        },
        "settings": {
            "mlModel": analysis.ml_model,
            "tracker": analysis.tracker.value,
            "frameStride": analysis.frame_stride,
            "minConfidence": analysis.min_confidence,
            "labels": analysis.labels,
            "startSeconds": analysis.start_seconds,
            "endSeconds": analysis.end_seconds,
            **_options(analysis),
        },
        "framesSkipped": await _frames_skipped(analysis),
        "counts": [
            {"label": total.label, "detections": total.detections, "tracks": total.tracks} for total in totals
        ],
        "tracks": [
            {
                "trackId": track.track_id,
                "label": track.label,
                "firstSeconds": track.first_seconds,
                "lastSeconds": track.last_seconds,
                "detectionCount": track.detection_count,
                "meanConfidence": round(track.confidence_sum / track.detection_count, 6),
            }
            for track in tracks
        ],
    }


def _options(analysis: Analysis) -> dict[str, Any]:
    """How frames were looked at and tracked; not the precision, which is no setting."""
    detection = read_options(DetectionOptions, analysis.detection_options)
    tiling = detection.tiling
    tracking = read_options(TrackingOptions, analysis.tracking_options)
    return {
        "mode": detection.mode.value,
        "motionGating": detection.motion_gating,
        "region": detection.region,
        "tiling": None if tiling is None else {camel_case(k): v for k, v in vars(tiling).items()},
        "trackerParameters": {camel_case(name): value for name, value in vars(tracking).items()},
    }


async def _frames_skipped(analysis: Analysis) -> int:
    """From the database: the row in hand was read before the last segments were tracked."""
    (skipped,) = await Analysis.filter(id=analysis.id).values_list("frames_skipped", flat=True)
    return int(str(skipped))


async def _local_copies(runtime: Runtime, analysis: Analysis, folder: Path) -> list[str]:
    """Paths of the tracked segments: as they lie in storage, or copied from a storage that has no paths."""
    paths = []
    for number in range(analysis.segment_count or 0):
        key = tracked_key(analysis.id, number)
        path = await runtime.storage.source(key)
        if "://" in path:
            path = str(folder / f"tracked-{number:06}.parquet")
            await runtime.storage.download(key, Path(path))
        paths.append(path)
    return paths


@contextlib.asynccontextmanager
async def _scratch_folder(runtime: Runtime) -> AsyncIterator[Path]:
    parent = scratch_folder(runtime.settings.data_dir)
    await asyncio.to_thread(parent.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix="summary-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
