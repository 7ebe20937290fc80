"""Fetching the file of a video from the URL that its owner gave."""

import asyncio
import logging
from contextlib import suppress
from uuid import uuid4

from domain.leases import Ending, Lease
from domain.references import referenced
from domain.removals import process_removals
from domain.videos.content import replace_lost_file
from domain.videos.imports import finish_import
from domain.videos.models import Video
from domain.videos.service import NewVideo, reject_video, release_probe
from settings import Settings
from storage.base import AbstractStorage
from storage.errors import StorageError
from tasks.imports.addresses import AddressPolicy, parse_networks
from tasks.imports.download import DownloadLimits, download
from tasks.imports.errors import ImportFailedError, NotFetchedError
from tasks.imports.network import Resolve, look_up
from tasks.runtime import Runtime
from tasks.steps.guarded import LostClaimError, guarded
from tasks.steps.outcome import Outcome, outcome_of

log = logging.getLogger(__name__)

PAUSE_SECONDS = 2.0
"""Before a second try; doubled before the third."""

_LOOK_SECONDS = 1.0
_ROOM_CHECK_BYTES = 64 * 2**20


async def fetch_step(runtime: Runtime, lease: Lease, video: Video, resolve: Resolve = look_up) -> None:
    """Fetch one file: its video is to be probed then, or REJECTED with a reason."""
    key = f"uploads/{uuid4()}"

    async def keep() -> bool:
        return not runtime.is_stopping and await lease.renew(runtime.settings.lease_seconds)

    look_seconds = min(_LOOK_SECONDS, runtime.settings.lease_seconds / 4)
    try:
        new = await guarded(_fetch(runtime, lease, video, key, resolve), keep, look_seconds=look_seconds)
        stored = await runtime.surely("an import", lambda: finish_import(lease, video.title, new))
        await _drop_unless_needed(runtime.storage, new, stored)
        await runtime.ring()
    except (LostClaimError, asyncio.CancelledError):
        # What is cancelled is this worker as a whole: another one begins anew.
        await runtime.surely("an import", lambda: release_probe(lease))
        raise
    except Exception as error:
        await _after_failure(runtime, lease, video, _outcome(error))


async def _fetch(runtime: Runtime, lease: Lease, video: Video, key: str, resolve: Resolve) -> NewVideo:
    settings, storage = runtime.settings, runtime.storage
    room = _Room(storage, settings.min_free_bytes)
    try:
        async with storage.writer(key) as writer:

            async def write(piece: bytes) -> None:
                await room.take(len(piece))
                await writer.write(piece)

            found = await download(
                str(video.source_url),
                write,
                policy=policy_of(settings),
                limits=DownloadLimits(settings.max_upload_bytes, settings.import_timeout_seconds),
                resolve=resolve,
            )
    except ImportFailedError as error:
        if not error.is_final and lease.attempts < runtime.patience.max_attempts:
            log.info("fetching video %s, attempt %d: %s", video.id, lease.attempts, error)
            await asyncio.sleep(PAUSE_SECONDS * 2 ** (lease.attempts - 1))
        raise
    return NewVideo(found.filename, key, found.size_bytes, found.sha256)


def policy_of(settings: Settings) -> AddressPolicy:
    """Which addresses files are fetched from."""
    return AddressPolicy(parse_networks(settings.import_allowed_networks))


class _Room:
    """Ends a download that would fill the disk."""

    def __init__(self, storage: AbstractStorage, min_free_bytes: int) -> None:
        self._storage, self._min_free_bytes = storage, min_free_bytes
        self._until_check_bytes = 0

    async def take(self, size_bytes: int) -> None:
        """Ask now and then whether there is room for so much more."""
        self._until_check_bytes -= size_bytes
        if self._until_check_bytes > 0:
            return
        self._until_check_bytes = _ROOM_CHECK_BYTES
        free_bytes = await self._storage.free_bytes()
        if free_bytes is not None and free_bytes < self._min_free_bytes:
            raise NotFetchedError(
                "This server has no room for the file: try again later (limit: min_free_bytes)."
            )


async def _drop_unless_needed(storage: AbstractStorage, new: NewVideo, stored: str | None) -> None:
    """Remove the fetched file if the claim was lost, or if the same bytes lie elsewhere and are not lost."""
    if stored == new.storage_key:
        return
    with suppress(StorageError):  # what cannot be removed now, housekeeping finds
        if stored is not None and await _mend(storage, stored, new):
            return
        # An answer of the database may have been lost: the row itself says whether it has the file.
        if not await referenced([new.storage_key]):
            await storage.delete(new.storage_key)


async def _mend(storage: AbstractStorage, stored: str, new: NewVideo) -> bool:
    """Use the fetched file where the stored one with the same content was lost; whether it was."""
    there = await storage.stat(stored)
    if there is not None and there.size_bytes == new.size_bytes:
        return False
    return await replace_lost_file(stored, new.storage_key)


def _outcome(error: Exception) -> Outcome:
    if isinstance(error, ImportFailedError):
        return Outcome(Ending.FAILED, error.message, is_final=error.is_final)
    return outcome_of(error)


async def _after_failure(runtime: Runtime, lease: Lease, video: Video, outcome: Outcome) -> None:
    if outcome.holds_worker:
        runtime.hold(outcome.reason)
    log.info("fetching video %s, attempt %d: %s", video.id, lease.attempts, outcome.reason)
    if not outcome.ends_work(lease, runtime.patience):
        await runtime.surely("an import", lambda: release_probe(lease, outcome.ending, outcome.reason))
        return
    reason = outcome.told("Fetching the file", lease)
    if await runtime.surely("an import", lambda: reject_video(lease, reason)):
        await process_removals(runtime.storage)
