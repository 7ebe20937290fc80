"""Stored files that belong to nothing: found by listing the storage and asking the database, in batches."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta

from domain.analyses.usage import has_unplanned_analysis, segments_of_content
from domain.references import referenced
from ml_models.errors import MLModelError
from storage.base import AbstractStorage
from tasks.own_models.find import find_model
from tasks.results.cache import detections_key

OWNED_FOLDERS = ("uploads", "videos", "analyses", "detections")
"""Each file or folder in them belongs to a row of the database."""

_DETECTIONS = "detections"
_BATCH = 500


async def remove_unowned(storage: AbstractStorage, older_than_seconds: float) -> int:
    """Remove sources, and what was made of videos and analyses, that no row refers to; how many there were.

    A request or worker died between storing and registering, or wrote after a deletion. Younger files stay,
    since their row may be about to come.
    """
    limit = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
    removed = 0
    for folder in OWNED_FOLDERS:
        async for groups in _groups(storage, folder):
            owned = await referenced(groups)
            for prefix, keys in groups.items():
                if prefix in owned or not await _are_all_older(storage, keys, limit):
                    continue
                await storage.delete(prefix)
                await storage.delete_prefix(prefix)
                removed += 1
    return removed


async def remove_unused_detections(storage: AbstractStorage, older_than_seconds: float) -> int:
    """Remove detections that no analysis refers to any more; how many files there were.

    Nothing breaks if they are asked for later: they are computed again.
    """
    limit = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
    removed = 0
    async for groups in _groups(storage, _DETECTIONS):
        for prefix, keys in groups.items():
            for key in await _unused(prefix.removeprefix(f"{_DETECTIONS}/"), keys):
                if await _are_all_older(storage, [key], limit):
                    await storage.delete(key)
                    removed += 1
    return removed


async def _groups(storage: AbstractStorage, folder: str) -> AsyncIterator[dict[str, list[str]]]:
    """The keys in a folder by its files and subfolders, some hundreds of these at a time.

    Storages list what lies together together, but need not: a subfolder may come in two parts.
    """
    groups: dict[str, list[str]] = {}
    async for key in storage.list(folder):
        prefix = "/".join(key.split("/")[:2])
        if prefix not in groups and len(groups) == _BATCH:
            yield groups
            groups = {}
        groups.setdefault(prefix, []).append(key)
    if groups:
        yield groups


async def _are_all_older(storage: AbstractStorage, keys: Iterable[str], limit: datetime) -> bool:
    for key in keys:
        stored = await storage.stat(key)
        if stored is not None and stored.modified_at > limit:
            return False
    return True


async def _unused(sha256: str, keys: list[str]) -> set[str]:
    """Those of the stored detections of a content that no analysis of it would read."""
    if await has_unplanned_analysis(sha256):
        return set()
    unused = set(keys)
    async for segment in segments_of_content(sha256):
        try:
            fingerprint = (await find_model(segment.ml_model)).fingerprint()
        except MLModelError:
            return set()  # where its detections lie is known again when its package is back
        unused.discard(
            detections_key(sha256, segment.plan, segment.frame_stride, fingerprint, segment.detection_options)
        )
    return unused
