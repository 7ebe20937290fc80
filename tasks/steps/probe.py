"""Finding out what an uploaded file is."""

import logging
from datetime import datetime
from typing import Any

from domain.leases import Lease
from domain.removals import process_removals
from domain.videos.files import thumbnail_key, timeline_key
from domain.videos.models import Video, VideoStatus
from domain.videos.service import VideoFacts, accept_video, reject_video, release_probe
from storage.errors import FileMissingError
from tasks.process.errors import ProcessDiedError
from tasks.process.limits import probe_time_limit
from tasks.process.pool import AnalysisProcess
from tasks.process.protocol import Message
from tasks.runtime import Runtime
from tasks.steps.guarded import LostClaimError, guarded
from tasks.steps.outcome import Outcome, outcome_of

log = logging.getLogger(__name__)


async def probe_step(runtime: Runtime, process: AnalysisProcess, lease: Lease, video: Video) -> None:
    """Probe one video: READY with its facts, or REJECTED with a reason and its file removed."""
    settings = runtime.settings

    async def keep() -> bool:
        return not runtime.is_stopping and await lease.renew(settings.lease_seconds)

    limits = {
        "max_duration_seconds": settings.max_video_duration_seconds,
        "max_width": settings.max_video_width,
        "max_height": settings.max_video_height,
    }
    try:
        source = await runtime.storage.source(str(video.storage_key))
        request = Message("probe", {"source": source, "limits": limits})
        limit = probe_time_limit(settings, video.size_bytes)
        answer = await guarded(process.request(request, limit=limit), keep)
        timeline, thumbnail = answer.blobs
        await runtime.storage.put(timeline_key(video.id), timeline)
        if thumbnail:
            await runtime.storage.put(thumbnail_key(video.id), thumbnail)
    except LostClaimError:
        await runtime.surely("a video", lambda: release_probe(lease))
        raise
    except FileMissingError:
        await _reject(runtime, lease, video, "The file is gone from storage: upload it again.")
        return
    except Exception as error:
        await _after_failure(runtime, lease, video, outcome_of(error, frozenset({"MediaError"})))
        if isinstance(error, ProcessDiedError):
            raise
        return
    facts = VideoFacts(**{**answer.values, **_moments(answer.values)}, has_thumbnail=bool(thumbnail))
    if not await runtime.surely("a video", lambda: accept_video(lease, facts)):
        await _remove_unless_accepted(runtime, video)


def _moments(values: dict[str, Any]) -> dict[str, datetime | None]:
    recorded_at = values["recorded_at"]
    return {"recorded_at": None if recorded_at is None else datetime.fromisoformat(recorded_at)}


async def _remove_unless_accepted(runtime: Runtime, video: Video) -> None:
    """Remove what was stored for a video that is gone or was rejected meanwhile."""
    if not await Video.filter(id=video.id).exclude(status=VideoStatus.REJECTED).exists():
        await runtime.storage.delete(timeline_key(video.id))
        await runtime.storage.delete(thumbnail_key(video.id))


async def _after_failure(runtime: Runtime, lease: Lease, video: Video, outcome: Outcome) -> None:
    if outcome.holds_worker:
        runtime.hold(outcome.reason)
    if outcome.is_final:
        await _reject(runtime, lease, video, outcome.reason)
        return
    log.warning("probing video %s, attempt %d: %s", video.id, lease.attempts, outcome.reason)
    if outcome.ends_work(lease, runtime.patience):
        told = outcome.told("Examining the file", lease)
        await _reject(runtime, lease, video, f"{told} Upload it again later, or convert it first.")
    else:
        await runtime.surely("a video", lambda: release_probe(lease, outcome.ending, outcome.reason))


async def _reject(runtime: Runtime, lease: Lease, video: Video, reason: str) -> None:
    if await runtime.surely("a video", lambda: reject_video(lease, reason)):
        await process_removals(runtime.storage)
