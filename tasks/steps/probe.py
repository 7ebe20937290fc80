"""Finding out what an uploaded file is."""

import logging

from domain.leases import Lease
from domain.videos.files import thumbnail_key, timeline_key
from domain.videos.models import Video
from domain.videos.service import VideoFacts, accept_video, reject_video, release_probe
from storage.errors import FileMissingError
from tasks.process.pool import AnalysisProcess, JobError, ProcessDiedError
from tasks.process.protocol import Message
from tasks.runtime import Runtime
from tasks.steps.guarded import LostClaimError, guarded

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
        answer = await guarded(process.request(request), keep)
    except LostClaimError:
        await release_probe(lease, orderly=True)
        raise
    except FileMissingError:
        await _reject(runtime, lease, video, "The file is gone from storage: upload it again.")
        return
    except JobError as error:
        if "MediaError" in error.kinds:
            await _reject(runtime, lease, video, str(error))
            return
        # Not the file's fault as far as can be told: a full disk, a storage that does not answer.
        await _retry(runtime, lease, video, f"{error.kind}: {error}", "this server failed to read it")
        return
    except ProcessDiedError as error:
        await _retry(runtime, lease, video, str(error), str(error))
        raise
    timeline, thumbnail = answer.blobs
    await runtime.storage.put(timeline_key(video.id), timeline)
    if thumbnail:
        await runtime.storage.put(thumbnail_key(video.id), thumbnail)
    if not await accept_video(lease, VideoFacts(**answer.values, has_thumbnail=bool(thumbnail))):
        await runtime.storage.delete(timeline_key(video.id))
        await runtime.storage.delete(thumbnail_key(video.id))


async def _retry(runtime: Runtime, lease: Lease, video: Video, failure: str, shown: str) -> None:
    log.error("probing video %s, attempt %d: %s", video.id, lease.attempts, failure)
    if lease.attempts >= runtime.settings.max_attempts:
        reason = (
            f"The file could not be examined in {lease.attempts} attempts: {shown}. Upload it again later."
        )
        await _reject(runtime, lease, video, reason)
    else:
        await release_probe(lease, orderly=False)


async def _reject(runtime: Runtime, lease: Lease, video: Video, reason: str) -> None:
    if await reject_video(lease, reason) and video.storage_key is not None:
        await runtime.storage.delete(video.storage_key)
