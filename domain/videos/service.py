"""What may be done with videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from uuid import UUID, uuid4

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from domain.errors import LimitExceededError, NotFoundError
from domain.leases import Lease, expiry, lease_of
from domain.sql import fetch_rows, skip_locked
from domain.videos.models import Video, VideoStatus


@dataclass(frozen=True)
class NewVideo:
    """A file that lies in storage and is to become a video."""

    filename: str
    storage_key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class VideoFacts:
    """What a probe found out."""

    container: str
    codec: str
    width: int
    height: int
    rotation_degrees: int
    duration_seconds: float
    frame_count: int
    average_fps: float
    is_variable_frame_rate: bool
    has_audio: bool
    time_base: str
    timeline_kind: str
    has_thumbnail: bool


def owned_videos(owner_id: UUID) -> QuerySet[Video]:
    """The videos of one account."""
    return Video.filter(owner_id=owner_id)


async def get_video(owner_id: UUID, video_id: UUID, path: Sequence[str] = ("id",)) -> Video:
    """One video of the account.

    Raises:
        NotFoundError: there is none, or it is somebody else's; `path` says which argument named it.
    """
    video = await owned_videos(owner_id).get_or_none(id=video_id)
    if video is None:
        raise NotFoundError("There is no Video with this id.", path)
    return video


async def room_for_videos(owner_id: UUID, max_videos_per_user: int) -> int:
    """How many more videos the account may keep."""
    kept = await owned_videos(owner_id).exclude(status=VideoStatus.REJECTED).count()
    return max(0, max_videos_per_user - kept)


async def create_video(owner_id: UUID, new: NewVideo, *, max_videos_per_user: int) -> Video:
    """Register an uploaded file; its probe is due.

    Raises:
        LimitExceededError: the account keeps as many videos as it may.
    """
    if not await room_for_videos(owner_id, max_videos_per_user):
        raise LimitExceededError(
            f"You keep {max_videos_per_user} videos, the most this server allows: delete some first.",
            limit="max_videos_per_user",
        )
    return await Video.create(
        id=uuid4(),
        owner_id=owner_id,
        title=PurePosixPath(new.filename).stem or new.filename,
        filename=new.filename,
        storage_key=new.storage_key,
        size_bytes=new.size_bytes,
        sha256=new.sha256,
    )


async def create_rejected_video(owner_id: UUID, filename: str, size_bytes: int, reason: str) -> Video:
    """Register a file that was turned away before it was stored, so that its owner finds out why."""
    return await Video.create(
        id=uuid4(),
        owner_id=owner_id,
        title=PurePosixPath(filename).stem or filename,
        filename=filename,
        size_bytes=size_bytes,
        sha256="",
        status=VideoStatus.REJECTED,
        rejection_reason=reason,
    )


async def claim_probe(lease_seconds: float) -> tuple[Lease, Video] | None:
    """Claim the oldest video that nobody probes yet."""
    rows = await fetch_rows(
        "UPDATE videos SET fence = fence + 1, attempts = attempts + 1, lease_expires_at = $1 "  # noqa: S608
        "WHERE status = 'PROBING' AND lease_expires_at IS NULL AND id = ("
        "SELECT id FROM videos WHERE status = 'PROBING' AND lease_expires_at IS NULL "
        f"ORDER BY created_at LIMIT 1 {skip_locked()}) RETURNING id, fence, attempts",
        expiry(lease_seconds),
    )
    if not rows:
        return None
    lease = lease_of("videos", rows[0])
    video = await Video.get_or_none(id=lease.id)
    return None if video is None else (lease, video)


async def release_probe(lease: Lease, *, orderly: bool) -> None:
    """Let another worker probe the video; an orderly release does not count as an attempt."""
    await Video.filter(id=lease.id, fence=lease.fence).update(
        lease_expires_at=None, attempts=lease.attempts - 1 if orderly else lease.attempts
    )


async def accept_video(lease: Lease, facts: VideoFacts) -> bool:
    """PROBING → READY; False when the claim was lost."""
    return bool(
        await Video.filter(id=lease.id, fence=lease.fence, status=VideoStatus.PROBING).update(
            status=VideoStatus.READY, lease_expires_at=None, **vars(facts)
        )
    )


async def reject_video(lease: Lease, reason: str) -> bool:
    """PROBING → REJECTED with a reason a person understands; False when the claim was lost."""
    return bool(
        await Video.filter(id=lease.id, fence=lease.fence, status=VideoStatus.PROBING).update(
            status=VideoStatus.REJECTED, rejection_reason=reason, storage_key=None, lease_expires_at=None
        )
    )


async def replace_timeline(video_id: UUID, timeline_kind: str, frame_count: int) -> None:
    """Note that the frames of a video were counted anew, by decoding them."""
    await Video.filter(id=video_id).update(timeline_kind=timeline_kind, frame_count=frame_count)


async def sweep_expired_probes(now_seconds: float) -> int:
    """Let videos be probed again whose worker went silent."""
    return await Video.filter(status=VideoStatus.PROBING, lease_expires_at__lt=now_seconds).update(
        lease_expires_at=None
    )


def filter_videos(
    videos: QuerySet[Video],
    *,
    status: VideoStatus | None = None,
    search: str | None = None,
    external_id: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> QuerySet[Video]:
    """Those videos that meet every condition given; `search` looks in titles and file names."""
    conditions = {
        "status": status,
        "external_id": external_id,
        "created_at__gt": created_after,
        "created_at__lt": created_before,
    }
    videos = videos.filter(**{name: value for name, value in conditions.items() if value is not None})
    if search:
        videos = videos.filter(Q(title__icontains=search) | Q(filename__icontains=search))
    return videos


_CONTENT_TYPES = {
    "mov": "video/mp4",
    "mp4": "video/mp4",
    "matroska": "video/x-matroska",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
    "mpegts": "video/mp2t",
    "gif": "image/gif",
    "flv": "video/x-flv",
    "mpeg": "video/mpeg",
    "ogg": "video/ogg",
}


def content_type(video: Video) -> str:
    """The media type of the file, by its container."""
    containers = (video.container or "").split(",")
    if "webm" in containers and video.filename.lower().endswith(".webm"):
        return "video/webm"
    return next(
        (_CONTENT_TYPES[name] for name in containers if name in _CONTENT_TYPES), "application/octet-stream"
    )
