"""Ending resumable uploads: on request, when they expire, and with their account."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.removals import note_removals, try_removals
from domain.sql import lock_rows
from domain.uploads.models import Upload
from storage.base import AbstractStorage

BATCH = 100
_LATE_WRITE_SECONDS = 60.0
"""For so long a request that has not noticed may begin to store something."""


async def end_upload(storage: AbstractStorage, upload: Upload) -> None:
    """Forget an upload, and remove what came of it; the video that it became stays."""
    await try_removals(storage, await delete_uploads([upload]))


async def delete_expired_uploads() -> int:
    """Forget uploads that have expired; how many there were. What they left is removed by and by."""
    count = 0
    while expired := await Upload.filter(expires_at__lte=datetime.now(UTC)).limit(BATCH):
        await delete_uploads(expired)
        count += len(expired)
    return count


async def delete_uploads_of(owner_id: UUID) -> list[UUID]:
    """Forget all uploads of an account; the removals to do."""
    removals: list[UUID] = []
    while uploads := await Upload.filter(owner_id=owner_id).limit(BATCH):
        removals += await delete_uploads(uploads)
    return removals


async def delete_uploads(uploads: Sequence[Upload]) -> list[UUID]:
    """Forget these uploads; the removals of what came of those that are no videos yet."""
    ids = [upload.id for upload in uploads]
    async with in_transaction() as connection:
        await lock_rows(connection, "uploads", ids)
        kept = Upload.filter(id__in=ids).using_db(connection)
        keys = await kept.filter(video_id__isnull=True).values_list("storage_key", flat=True)
        removals = await note_removals(
            connection, [str(key) for key in keys], late_write_seconds=_LATE_WRITE_SECONDS
        )
        await Upload.filter(id__in=ids).using_db(connection).delete()
    return removals
