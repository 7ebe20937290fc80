"""Videos that are fetched from a URL: asked for, claimed by a worker, and stored.

Until its file is here such a video is PROBING and has no `storage_key`; then it is probed like others.
"""

from uuid import UUID, uuid4

from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from domain.errors import LimitExceededError
from domain.holders import this_process
from domain.leases import Lease, expiry, lease_of
from domain.sql import fetch_rows, skip_locked
from domain.videos.content import stored_key
from domain.videos.filenames import title_of
from domain.videos.idempotency import UploadKey, columns_of, find_upload
from domain.videos.models import Video, VideoStatus
from domain.videos.service import NewVideo, check_room_for_video, insert_video

_WAITING = "status = 'PROBING' AND storage_key IS NULL AND lease_expires_at IS NULL"
_RUNNING = "status = 'PROBING' AND storage_key IS NULL AND lease_expires_at IS NOT NULL"


def unfinished_imports() -> QuerySet[Video]:
    """The videos whose files are being fetched, or wait for it."""
    return Video.filter(status=VideoStatus.PROBING, storage_key=None)


async def create_import(
    owner_id: UUID,
    source_url: str,
    filename: str,
    *,
    max_videos_per_user: int,
    max_imports_per_user: int,
    upload_key: UploadKey | None = None,
) -> Video:
    """Register a video that a worker is to fetch.

    Raises:
        LimitExceededError: The account keeps as many videos, or waits for as many imports, as it may.
        IdempotencyMismatchError: The upload key was used with another input.
    """
    earlier = await find_upload(owner_id, upload_key)
    if earlier is not None:
        return earlier
    await check_room_for_video(owner_id, max_videos_per_user)
    if await unfinished_imports().filter(owner_id=owner_id).count() >= max_imports_per_user:
        raise LimitExceededError(
            f"{max_imports_per_user} of your videos are being fetched or wait for it, the most this server "
            "allows: try again when some are done.",
            limit="max_imports_per_user",
        )
    video = Video(
        id=uuid4(),
        owner_id=owner_id,
        title=title_of(filename),
        filename=filename,
        size_bytes=0,
        sha256="",
        source_url=source_url,
        **columns_of(upload_key),
    )
    return await insert_video(video, upload_key)


async def claim_import(lease_seconds: float, max_per_user: int) -> tuple[Lease, Video] | None:
    """Claim the import of the account with the fewest running ones, of these the oldest.

    Args:
        lease_seconds: How long it stays claimed without a sign of life.
        max_per_user: Accounts with so many running have to wait.
    """
    if not await unfinished_imports().filter(lease_expires_at=None).exists():
        return None
    running = f"(SELECT COUNT(*) FROM videos r WHERE r.owner_id = v.owner_id AND {_RUNNING})"  # noqa: S608
    rows = await fetch_rows(
        "UPDATE videos SET fence = fence + 1, attempts = attempts + 1, lease_expires_at = $1, "  # noqa: S608
        f"holder = $2 WHERE {_WAITING} AND id = (SELECT v.id FROM videos v WHERE {_WAITING} "
        f"AND {running} < $3 ORDER BY {running}, v.created_at LIMIT 1 {skip_locked()}) "
        "RETURNING id, fence, attempts, interruptions",
        expiry(lease_seconds),
        this_process(),
        max_per_user,
    )
    if not rows:
        return None
    lease = lease_of("videos", rows[0])
    video = await Video.get_or_none(id=lease.id)
    return None if video is None else (lease, video)


async def finish_import(lease: Lease, title: str, new: NewVideo) -> str | None:
    """Give the video its file, or the one with the same bytes that is stored already; its probe is due.

    Args:
        lease: The claim.
        title: What the video is called so far; it is named anew after the file, unless it was renamed.
        new: The file that was fetched.

    Returns:
        The `storage_key` that the video has now; None when the claim was lost.
    """
    async with in_transaction() as connection:
        key = await stored_key(connection, new.sha256, new.size_bytes) or new.storage_key
        claimed = Video.filter(id=lease.id, fence=lease.fence, status=VideoStatus.PROBING, storage_key=None)
        stored = await claimed.using_db(connection).update(
            storage_key=key,
            size_bytes=new.size_bytes,
            sha256=new.sha256,
            filename=new.filename,
            lease_expires_at=None,
            holder=None,
            attempts=0,
            interruptions=0,
            last_failure=None,
        )
        if not stored:
            return None
        named = Video.filter(id=lease.id, title=title).using_db(connection)
        await named.update(title=title_of(new.filename))
    return key
