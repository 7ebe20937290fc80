"""One file for all videos with the same bytes, whoever uploaded them."""

from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from domain.sql import fetch_rows, is_postgres
from domain.videos.models import Video

_LOCK_BITS = 63


async def stored_key(connection: BaseDBAsyncClient, sha256: str, size_bytes: int) -> str | None:
    """Where a file with this content is stored already; None if nowhere.

    Until the transaction ends, the video that has it cannot let go of it, and nobody else gets an answer for
    the same content: of twins that come at the same moment, the second one finds the first. The caller must
    have read every byte: a hash that somebody merely knows proves nothing.
    """
    lock = ""
    if is_postgres(connection):
        await fetch_rows(
            "SELECT pg_advisory_xact_lock($1)", int(sha256, 16) % 2**_LOCK_BITS, connection=connection
        )
        lock = "FOR UPDATE"
    # SQLite has one lock; a write takes it, whether or not it finds a row.
    has_file = "storage_key IS NOT NULL AND status <> 'REJECTED'"
    rows = await fetch_rows(
        f"UPDATE videos SET storage_key = storage_key WHERE {has_file} AND id = ("  # noqa: S608 - constants
        f"SELECT id FROM videos WHERE sha256 = $1 AND size_bytes = $2 AND {has_file} "
        f"ORDER BY created_at LIMIT 1 {lock}) RETURNING storage_key",
        sha256,
        size_bytes,
        connection=connection,
    )
    return str(rows[0]["storage_key"]) if rows else None


async def find_source(video_id: UUID) -> Video | None:
    """The video, while it has a file."""
    return await Video.filter(id=video_id, storage_key__isnull=False).first()


async def replace_lost_file(lost_key: str, new_key: str) -> bool:
    """Give all videos whose file is gone from the storage the same content anew; False if none has it now."""
    return bool(await Video.filter(storage_key=lost_key).update(storage_key=new_key))
