"""The file that a new video came with, once it is known whether another one has the same bytes."""

from contextlib import suppress

from domain.videos.content import replace_lost_file
from domain.videos.models import Video
from storage.base import AbstractStorage
from storage.errors import StorageError


async def keep_or_drop(storage: AbstractStorage, video: Video, storage_key: str) -> None:
    """Keep the file that was stored for the video, unless the same bytes were stored before.

    If the earlier file was lost, this one takes its place, for all videos that have it.
    """
    if video.storage_key != storage_key and not await _mend(storage, video, storage_key):
        await drop(storage, storage_key)


async def drop(storage: AbstractStorage, storage_key: str) -> None:
    """Remove a file that no video needs; what cannot be removed now, housekeeping finds."""
    with suppress(StorageError):
        await storage.delete(storage_key)


async def _mend(storage: AbstractStorage, video: Video, storage_key: str) -> bool:
    """Use the new file where the stored one with the same content was lost; whether it was."""
    if video.storage_key is None:
        return False
    try:
        stored = await storage.stat(video.storage_key)
    except StorageError:
        return False
    if stored is not None and stored.size_bytes == video.size_bytes:
        return False
    if not await replace_lost_file(video.storage_key, storage_key):
        return False
    video.storage_key = storage_key
    return True
