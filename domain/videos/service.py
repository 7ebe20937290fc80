"""What may be done with videos."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from domain.accounts.models import User
from domain.errors import LimitExceededError, NotFoundError, NotSignedInError
from domain.events import EventKind, record_event
from domain.holders import this_process
from domain.leases import VANISHED, Ending, Lease, expiry, lease_of
from domain.pages import Rows, contains_text
from domain.removals import note_removals
from domain.sql import fetch_rows, skip_locked
from domain.videos.content import stored_key
from domain.videos.filenames import title_of
from domain.videos.idempotency import UploadKey, columns_of, find_upload
from domain.videos.models import Video, VideoStatus

_TO_PROBE = "status = 'PROBING' AND storage_key IS NOT NULL AND lease_expires_at IS NULL"


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
    recorded_at: datetime | None = None


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


async def check_room_for_video(owner_id: UUID, max_videos_per_user: int) -> None:
    """Raise LimitExceededError if the account keeps as many videos as it may."""
    if not await room_for_videos(owner_id, max_videos_per_user):
        raise LimitExceededError(
            f"You keep {max_videos_per_user} videos, the most this server allows: delete some first.",
            limit="max_videos_per_user",
        )


async def create_video(
    owner_id: UUID, new: NewVideo, *, max_videos_per_user: int, upload_key: UploadKey | None = None
) -> Video:
    """Register an uploaded file; its probe is due.

    The video's `storage_key` is another one than that of `new` if a file with these bytes was stored before,
    or if `upload_key` was used before and the video is that of the first time: the new file is not needed.

    Raises:
        LimitExceededError: the account keeps as many videos as it may.
        IdempotencyMismatchError: the upload key was used with another input.
    """
    earlier = await find_upload(owner_id, upload_key)
    if earlier is not None:
        return earlier
    await check_room_for_video(owner_id, max_videos_per_user)
    video = Video(
        id=uuid4(),
        owner_id=owner_id,
        title=title_of(new.filename),
        filename=new.filename,
        storage_key=new.storage_key,
        size_bytes=new.size_bytes,
        sha256=new.sha256,
        **columns_of(upload_key),
    )
    return await insert_video(video, upload_key)


async def create_rejected_video(
    owner_id: UUID, filename: str, size_bytes: int, reason: str, *, upload_key: UploadKey | None = None
) -> Video:
    """Register a file that was turned away before it was stored, so that its owner finds out why.

    Raises:
        IdempotencyMismatchError: the upload key was used with another input.
    """
    earlier = await find_upload(owner_id, upload_key)
    if earlier is not None:
        return earlier
    video = Video(
        id=uuid4(),
        owner_id=owner_id,
        title=title_of(filename),
        filename=filename,
        size_bytes=size_bytes,
        sha256="",
        status=VideoStatus.REJECTED,
        rejection_reason=reason,
        **columns_of(upload_key),
    )
    return await insert_video(video, upload_key)


async def insert_video(video: Video, upload_key: UploadKey | None) -> Video:
    """Write a new video and its event; or the video that a request with the same key wrote just now."""
    kind = EventKind.VIDEO_REJECTED if video.status is VideoStatus.REJECTED else EventKind.VIDEO_UPLOADED
    try:
        async with in_transaction() as connection:
            if video.storage_key is not None:
                shared = await stored_key(connection, video.sha256, video.size_bytes)
                video.storage_key = shared or video.storage_key
            await video.save(using_db=connection, force_create=True)
            await record_event(
                connection, video.owner_id, kind, video_id=video.id, message=video.rejection_reason
            )
    except IntegrityError:
        earlier = await find_upload(video.owner_id, upload_key)
        if earlier is not None:
            return earlier
        if not await User.exists(id=video.owner_id):
            raise NotSignedInError("The account has been deleted.") from None
        raise
    return video


async def claim_probe(owner_id: UUID, lease_seconds: float) -> tuple[Lease, Video] | None:
    """Claim the oldest video of an account that has its file and that nobody probes yet."""
    rows = await fetch_rows(
        "UPDATE videos SET fence = fence + 1, attempts = attempts + 1, lease_expires_at = $1, "  # noqa: S608
        f"holder = $2 WHERE {_TO_PROBE} AND id = (SELECT id FROM videos WHERE owner_id = $3 AND {_TO_PROBE} "
        f"ORDER BY created_at LIMIT 1 {skip_locked()}) RETURNING id, fence, attempts, interruptions",
        expiry(lease_seconds),
        this_process(),
        owner_id,
    )
    if not rows:
        return None
    lease = lease_of("videos", rows[0])
    video = await Video.get_or_none(id=lease.id)
    return None if video is None else (lease, video)


async def release_probe(lease: Lease, ending: Ending = Ending.ORDERLY, reason: str | None = None) -> bool:
    """Let another worker probe the video; False when the claim was lost."""
    rows = await fetch_rows(
        "UPDATE videos SET lease_expires_at = NULL, holder = NULL, attempts = attempts - $1, "
        "interruptions = interruptions + $2, last_failure = COALESCE($3, last_failure) "
        "WHERE id = $4 AND fence = $5 AND status = 'PROBING' RETURNING id",
        0 if ending is Ending.FAILED else 1,
        1 if ending is Ending.INTERRUPTED else 0,
        reason,
        lease.id,
        lease.fence,
    )
    return bool(rows)


async def accept_video(lease: Lease, facts: VideoFacts) -> bool:
    """PROBING → READY; False when the claim was lost."""
    async with in_transaction() as connection:
        owner_id = await _end_probe(connection, lease, status=VideoStatus.READY, **vars(facts))
        if owner_id is None:
            return False
        await record_event(connection, owner_id, EventKind.VIDEO_READY, video_id=lease.id)
    return True


async def reject_video(lease: Lease, reason: str) -> bool:
    """PROBING → REJECTED with a reason a person understands; False when the claim was lost.

    Its file is let go of: `domain.removals.process_removals` removes it unless another video has it too.
    """
    async with in_transaction() as connection:
        owner_id = await _end_probe(connection, lease, status=VideoStatus.REJECTED, rejection_reason=reason)
        if owner_id is None:
            return False
        video = await Video.get(id=lease.id, using_db=connection)
        if video.storage_key is not None:
            await note_removals(connection, [video.storage_key])
            await Video.filter(id=lease.id).using_db(connection).update(storage_key=None)
        await record_event(connection, owner_id, EventKind.VIDEO_REJECTED, video_id=lease.id, message=reason)
    return True


async def _end_probe(connection: BaseDBAsyncClient, lease: Lease, **values: object) -> UUID | None:
    """Write what a probe found; whose video it is, or None when the claim was lost."""
    probed = Video.filter(id=lease.id, fence=lease.fence, status=VideoStatus.PROBING).using_db(connection)
    if not await probed.update(lease_expires_at=None, holder=None, **values):
        return None
    return UUID(str((await Video.get(id=lease.id, using_db=connection)).owner_id))


async def replace_timeline(video_id: UUID, timeline_kind: str, frame_count: int) -> None:
    """Note that the frames of a video were counted anew, by decoding them."""
    await Video.filter(id=video_id).update(timeline_kind=timeline_kind, frame_count=frame_count)


async def sweep_expired_probes(max_interruptions: int) -> list[Lease]:
    """Let videos be probed again whose lease ran out; give those that were interrupted too often, claimed."""
    now = time.time()
    exhausted = await fetch_rows(
        "UPDATE videos SET fence = fence + 1, lease_expires_at = $1 WHERE status = 'PROBING' "
        "AND lease_expires_at < $1 AND interruptions + 1 >= $2 RETURNING id, fence, attempts, interruptions",
        now,
        max_interruptions,
    )
    await fetch_rows(
        "UPDATE videos SET lease_expires_at = NULL, holder = NULL, attempts = attempts - 1, "
        "interruptions = interruptions + 1, last_failure = $2 "
        "WHERE status = 'PROBING' AND lease_expires_at < $1 RETURNING id",
        now,
        VANISHED,
    )
    return [lease_of("videos", row) for row in exhausted]


def filter_videos(
    videos: Rows,
    *,
    status: VideoStatus | None = None,
    search: str | None = None,
    external_id: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> Rows:
    """Those videos that meet every condition given; `search` looks in titles and file names."""
    for condition, value in (
        ("status = ?", None if status is None else status.value),
        ("external_id = ?", external_id),
        ("created_at > ?", created_after),
        ("created_at < ?", created_before),
    ):
        videos = videos if value is None else videos.where(condition, value)
    if search:
        condition, values = contains_text(("title", "filename"), search)
        videos = videos.where(condition, *values)
    return videos
