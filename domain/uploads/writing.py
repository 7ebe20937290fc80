"""One request's bytes on their way into an upload."""

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from domain.uploads.hashing import ContentHashes, update_all
from domain.uploads.models import Upload
from domain.uploads.service import UploadLimits, record_saved
from storage.appending import StorageAppender
from storage.base import AbstractStorage
from storage.cancellation import run_blocking, uncancelled
from storage.errors import StorageError

CHECKSUM_ALGORITHMS = ("sha1", "sha256", "md5")

_RECORD_BYTES = 32 * 2**20
_RECORD_SECONDS = 1.0
"""How much, or what of how long, may have to be sent again if this process is killed."""


class ChecksumMismatchError(Exception):
    """Raised when the bytes of a request are not those that the client meant; none of them is kept."""


@dataclass(frozen=True)
class Checksum:
    """What the bytes of a request must hash to."""

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> "Checksum":
        """Read ``sha1 <base64>``.

        Raises:
            ValueError: It is not of that form, or the algorithm is none of `CHECKSUM_ALGORITHMS`.
        """
        algorithm, _, encoded = text.strip().partition(" ")
        if algorithm not in CHECKSUM_ALGORITHMS:
            raise ValueError(f"The checksum algorithms are {', '.join(CHECKSUM_ALGORITHMS)}.")
        checksum = cls(algorithm, base64.b64decode(encoded, validate=True))
        if len(checksum.digest) != checksum.new_hash().digest_size:
            raise ValueError(f"This is no {algorithm} checksum.")
        return checksum

    def new_hash(self) -> Any:
        """An empty hash of this algorithm."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


class UploadWriter:
    """Stores and hashes one batch of bytes while the next one comes in, and notes now and then how far it is.

    With a checksum nothing is noted, and so nothing kept, before all bytes have turned out right.
    """

    def __init__(
        self,
        upload: Upload,
        appender: StorageAppender,
        limits: UploadLimits,
        sha256: Any,
        checksum: Checksum | None,
    ) -> None:
        self.sha256 = sha256
        self.received_bytes = 0
        self._upload = upload
        self._begun_at_bytes = int(upload.offset_bytes)
        self._appender = appender
        self._limits = limits
        self._checksum = checksum
        self.is_checked = checksum is None
        """Whether what was received may be kept."""
        self._checksum_hash: Any = None if checksum is None else checksum.new_hash()
        self._hashes = [one for one in (sha256, self._checksum_hash) if one is not None]
        self._storing: asyncio.Future[Any] | None = None
        self._recorded_at = time.monotonic()

    @property
    def offset_bytes(self) -> int:
        """Where the upload would be with everything that was received."""
        return self._begun_at_bytes + self.received_bytes

    async def write(self, pieces: Sequence[bytes]) -> None:
        """Take the next bytes; returns when those before them are stored.

        Raises:
            StorageError: They are not.
            UploadTakenOverError: Another request goes on with the upload.
        """
        await self._wait()
        self.received_bytes += sum(map(len, pieces))
        self._storing = asyncio.ensure_future(self._store(pieces))
        if self.is_checked and self._is_record_due():
            saved = await self._appender.save(whole=False)
            self._recorded_at = time.monotonic()
            if saved.offset_bytes > self._upload.offset_bytes:
                await record_saved(self._upload, saved, self._limits)

    async def check(self) -> None:
        """Compare with the checksum, when all bytes have come.

        Raises:
            ChecksumMismatchError: They are not the right ones.
        """
        await self._wait()
        if self._checksum is not None and self._checksum_hash.digest() != self._checksum.digest:
            raise ChecksumMismatchError
        self.is_checked = True

    async def settle(self) -> None:
        """Keep what was received, whatever went wrong since; nothing that has yet to be checked."""
        with suppress(StorageError):
            await self._wait()
        if not self.is_checked:
            return
        saved = await self._appender.save()
        if saved.offset_bytes != self.offset_bytes:
            self.sha256 = None
        await record_saved(self._upload, saved, self._limits)

    def _is_record_due(self) -> bool:
        bytes_at_risk = self.offset_bytes - self._upload.offset_bytes
        return bytes_at_risk >= _RECORD_BYTES or time.monotonic() - self._recorded_at >= _RECORD_SECONDS

    async def _store(self, pieces: Sequence[bytes]) -> None:
        storing = asyncio.ensure_future(self._appender.write(pieces))
        if not self._hashes:
            return await storing
        try:
            await run_blocking(update_all, self._hashes, pieces)
        finally:
            await storing

    async def _wait(self) -> None:
        storing, self._storing = self._storing, None
        if storing is not None:
            await uncancelled(storing)


@asynccontextmanager
async def writing_to(
    storage: AbstractStorage,
    upload: Upload,
    limits: UploadLimits,
    hashes: ContentHashes,
    checksum: Checksum | None = None,
) -> AsyncIterator[UploadWriter]:
    """A writer for an upload that was claimed just now; however the block ends, what came is kept.

    When everything has come, the file lies in the storage under the upload's key.

    Raises:
        FileMissingError: What was stored is gone.
        ChecksumMismatchError: The bytes are not those of the checksum.
        UploadTakenOverError: Another request goes on with the upload.
    """
    async with storage.appender(
        upload.storage_key, state=upload.storage_state, offset_bytes=upload.offset_bytes, fence=upload.fence
    ) as appender:
        known = hashes.resume(upload)
        sha256 = None if known is None else known.copy()
        writer = UploadWriter(upload, appender, limits, sha256, checksum)
        try:
            yield writer
            await writer.check()
        finally:
            await uncancelled(writer.settle())
            hashes.keep(upload, writer.sha256 if writer.is_checked else known)
        if upload.is_whole:
            await appender.finish()


async def finish_file(storage: AbstractStorage, upload: Upload) -> None:
    """Put a file into its place whose bytes are all there; the upload was claimed just now.

    Raises:
        FileMissingError: They are gone.
    """
    async with storage.appender(
        upload.storage_key, state=upload.storage_state, offset_bytes=upload.offset_bytes, fence=upload.fence
    ) as appender:
        await appender.finish()
