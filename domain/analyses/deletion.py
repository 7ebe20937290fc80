"""Deleting a video with everything that was made from it."""

from uuid import UUID

from domain.analyses.files import analysis_prefix
from domain.analyses.models import Analysis
from domain.videos.files import detections_prefix, video_prefix
from domain.videos.models import Video
from domain.videos.service import get_video
from storage.base import AbstractStorage


async def delete_video(storage: AbstractStorage, owner_id: UUID, video_id: UUID) -> None:
    """Delete a video, its analyses, and their files; running work on it stops by itself.

    Raises:
        NotFoundError: there is no such video of this account.
    """
    video = await get_video(owner_id, video_id)
    analysis_ids = await Analysis.filter(video_id=video_id).values_list("id", flat=True)
    await video.delete()
    if video.storage_key is not None:
        await storage.delete(video.storage_key)
    for prefix in (video_prefix(video_id), *(analysis_prefix(UUID(str(i))) for i in analysis_ids)):
        await storage.delete_prefix(prefix)
    # Detections are shared by every video with the same bytes.
    if video.sha256 and not await Video.filter(sha256=video.sha256).exists():
        await storage.delete_prefix(detections_prefix(video.sha256))
