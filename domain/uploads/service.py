"""What may be done with resumable uploads: begin one, take over its writing, note how far it is, end it."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import orjson
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from domain.accounts.models import User
from domain.analyses.service import check_idempotency_key
from domain.analyses.settings import AnalysisSettings
from domain.errors import (
    IdempotencyMismatchError,
    InvalidError,
    LimitExceededError,
    NotFoundError,
    NotSignedInError,
)
from domain.sql import fetch_rows, lock_rows
from domain.uploads.deletion import delete_uploads
from domain.uploads.models import Upload
from domain.videos.service import room_for_videos
from storage.appending import Saved
from storage.base import AbstractStorage


class UploadExpiredError(NotFoundError):
    """Raised when nothing came for an upload for too long, or what came was lost."""


class UploadTakenOverError(Exception):
    """Raised when another request goes on with the upload, or it is gone."""


@dataclass(frozen=True)
class NewUpload:
    """A file that somebody is about to send."""

    filename: str
    size_bytes: int
    settings: AnalysisSettings | None = None
    """Of an analysis to start when it is complete."""

    def fingerprint(self) -> str:
        """Equal for equal uploads: what an idempotency key is compared by."""
        settings = None if self.settings is None else asdict(self.settings)
        return hashlib.sha256(orjson.dumps([self.filename, self.size_bytes, settings])).hexdigest()

    def settings_text(self) -> str | None:
        """The settings as they are kept."""
        return None if self.settings is None else orjson.dumps(asdict(self.settings)).decode()


@dataclass(frozen=True)
class UploadLimits:
    """What an upload may be; each is the setting of the same name."""

    max_upload_bytes: int
    max_videos_per_user: int
    max_open_uploads_per_user: int
    min_free_bytes: int
    upload_expiry_seconds: float

    def expiry(self) -> datetime:
        """When an upload expires that got a byte now."""
        return datetime.now(UTC) + timedelta(seconds=self.upload_expiry_seconds)

    def check_size(self, size_bytes: int) -> None:
        """Raise InvalidError or LimitExceededError for a size that no upload may have."""
        if size_bytes < 1:
            raise InvalidError("sizeBytes must be 1 or more: an empty file is no video.", ("size_bytes",))
        if size_bytes > self.max_upload_bytes:
            raise LimitExceededError(
                f"The file is larger than {self.max_upload_bytes} bytes.",
                limit="max_upload_bytes",
                path=("size_bytes",),
            )

    async def check_room(self, storage: AbstractStorage, size_bytes: int) -> None:
        """Raise LimitExceededError if the storage has no room for so many more bytes."""
        free_bytes = await storage.free_bytes()
        if free_bytes is not None and free_bytes - size_bytes < self.min_free_bytes:
            raise LimitExceededError(
                "The server has no room left for this upload.", limit="min_free_bytes", path=("size_bytes",)
            )


async def create_upload(
    storage: AbstractStorage,
    owner_id: UUID,
    new: NewUpload,
    limits: UploadLimits,
    idempotency_key: str | None = None,
) -> Upload:
    """Begin an upload; the same key and input give the upload that the first call made, while it is kept.

    Raises:
        InvalidError: The key or the size is none.
        LimitExceededError: The file is too large, or there is no room for it or for another upload.
        IdempotencyMismatchError: The key was used with another input.
        NotSignedInError: The account has been deleted.
    """
    limits.check_size(new.size_bytes)
    if idempotency_key is not None:
        check_idempotency_key(idempotency_key)
        earlier = await _find_earlier(owner_id, idempotency_key, new)
        if earlier is not None:
            return earlier
    await limits.check_room(storage, new.size_bytes)
    upload_id = uuid4()
    upload = Upload(
        id=upload_id,
        owner_id=owner_id,
        filename=new.filename,
        size_bytes=new.size_bytes,
        storage_key=f"uploads/{upload_id}",
        settings=new.settings_text(),
        idempotency_key=idempotency_key,
        idempotency_hash=None if idempotency_key is None else new.fingerprint(),
        expires_at=limits.expiry(),
    )
    try:
        async with in_transaction() as connection:
            # One after the other, so that requests at the same moment do not pass the limit together.
            await lock_rows(connection, "users", [owner_id])
            await _check_quota(connection, owner_id, limits)
            await upload.save(using_db=connection, force_create=True)
    except IntegrityError:
        if idempotency_key is not None:
            earlier = await _find_earlier(owner_id, idempotency_key, new)
            if earlier is not None:
                return earlier
        if not await User.exists(id=owner_id):
            raise NotSignedInError("The account has been deleted.") from None
        raise
    return upload


async def _find_earlier(owner_id: UUID, idempotency_key: str, new: NewUpload) -> Upload | None:
    earlier = await Upload.get_or_none(owner_id=owner_id, idempotency_key=idempotency_key)
    if earlier is None:
        return None
    if earlier.expires_at <= datetime.now(UTC):
        await delete_uploads([earlier])
        return None
    if earlier.idempotency_hash != new.fingerprint():
        raise IdempotencyMismatchError(
            "This idempotencyKey was used before with another file or other settings: use a new key.",
            path=("idempotency_key",),
        )
    return earlier


async def _check_quota(connection: BaseDBAsyncClient, owner_id: UUID, limits: UploadLimits) -> None:
    count = await open_uploads(owner_id).using_db(connection).count()
    if count >= limits.max_open_uploads_per_user:
        raise LimitExceededError(
            f"You have {count} uploads that are not finished, the most this server allows: finish or "
            "end some first.",
            limit="max_open_uploads_per_user",
        )
    if await room_for_videos(owner_id, limits.max_videos_per_user) <= count:
        raise LimitExceededError(
            f"You may keep {limits.max_videos_per_user} videos, those that are being uploaded included: "
            "delete some first.",
            limit="max_videos_per_user",
        )


def open_uploads(owner_id: UUID) -> QuerySet[Upload]:
    """The uploads of an account that may still become videos."""
    return Upload.filter(owner_id=owner_id, video_id__isnull=True, expires_at__gt=datetime.now(UTC))


async def get_upload(upload_id: UUID) -> Upload:
    """An upload, for whoever has its URL.

    Raises:
        NotFoundError: There is none any more.
        UploadExpiredError: It waits to be cleared away.
    """
    upload = await Upload.get_or_none(id=upload_id)
    if upload is None:
        raise NotFoundError("There is no such upload (any more): begin it anew.")
    if upload.expires_at <= datetime.now(UTC):
        raise UploadExpiredError("This upload has expired: begin it anew.")
    return upload


async def claim_upload(upload: Upload) -> Upload | None:
    """Take over the writing from whoever may be at it; None if the upload is no longer as it was read."""
    rows = await fetch_rows(
        "UPDATE uploads SET fence = fence + 1 WHERE id = $1 AND offset_bytes = $2 AND storage_state = $3 "
        "AND video_id IS NULL RETURNING fence",
        upload.id,
        upload.offset_bytes,
        upload.storage_state,
    )
    if not rows:
        return None
    upload.fence = int(rows[0]["fence"])
    return upload


async def record_saved(upload: Upload, saved: Saved, limits: UploadLimits) -> None:
    """Note how much is stored, which is what the client will be told.

    Raises:
        UploadTakenOverError: Somebody else writes now, or the upload has been ended.
    """
    expires_at = limits.expiry()
    changed = await Upload.filter(id=upload.id, fence=upload.fence, video_id__isnull=True).update(
        offset_bytes=saved.offset_bytes, storage_state=saved.state, expires_at=expires_at
    )
    if not changed:
        raise UploadTakenOverError
    upload.offset_bytes, upload.storage_state = saved.offset_bytes, saved.state
    upload.expires_at = expires_at


async def record_video(upload: Upload, video_id: UUID, limits: UploadLimits) -> None:
    """Note what the upload became; it is kept for a while, for a client that did not get the answer."""
    upload.video_id, upload.expires_at = video_id, limits.expiry()
    await Upload.filter(id=upload.id).update(video_id=video_id, expires_at=upload.expires_at)


async def unfinished_keys() -> set[str]:
    """Where files grow that somebody may go on with."""
    keys: Sequence[object] = await Upload.filter(video_id__isnull=True).values_list("storage_key", flat=True)
    return {str(key) for key in keys}
