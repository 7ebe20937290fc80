"""What every storage can do."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Collection
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from storage.appending import StorageAppender
from storage.cancellation import run_blocking
from storage.local_errors import writing
from storage.local_writer import LocalWriter


@dataclass(frozen=True)
class StoredFile:
    """What is known of a stored file without reading it."""

    size_bytes: int
    modified_at: datetime
    """Aware, in UTC."""
    etag: str
    """Changes when the content does; without quotes."""


class StorageWriter(Protocol):
    """Takes the bytes of one file, in order."""

    async def write(self, data: bytes) -> None:
        """Append `data`; returns when there is room for more."""


class AbstractStorage(ABC):
    """Files under keys like ``videos/0b1c/source.mp4``.

    A file appears whole or not at all, and a file written again replaces the former one at once. A prefix
    names a folder: ``a/b`` covers ``a/b/c`` and not ``a/bc``. Every method raises `InvalidKeyError` for what
    is no key, and another `StorageError` where the disk or the server fails.
    """

    @abstractmethod
    async def prepare(self) -> None:
        """Make the folder or bucket if it is missing, and check that it can be used.

        Raises:
            StorageConfigurationError: It cannot, and waiting will not help.
            StorageFullError: There is no room for the folder.
            StorageUnavailableError: It cannot be reached.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Close what is open on the running event loop."""

    @abstractmethod
    def writer(self, key: str) -> AbstractAsyncContextManager[StorageWriter]:
        """Open a file for writing, with little memory however large it gets.

        Leaving the block stores the file; an exception in it, or the task's being cancelled there, leaves
        nothing behind. A cancellation that arrives in the very moment of storing may come too late for that.

        Raises:
            StorageFullError: There is no room for it.
        """

    @abstractmethod
    def appender(
        self, key: str, *, state: str = "", offset_bytes: int = 0, fence: int = 0
    ) -> AbstractAsyncContextManager[StorageAppender]:
        """Begin a file that is written in several goes, or go on with it, also after the end of a process.

        Leaving the block keeps what was saved. What was written and not saved is cut off by the next one.

        Args:
            key: The file.
            state: Of the last `Saved` that the caller kept.
            offset_bytes: Likewise.
            fence: Higher than that of every appender of this file before. What a former one still writes
                does not get into the file: it is refused, or else this one cannot finish the file.

        Raises:
            FileMissingError: What was saved is gone: the file has to be written anew.
            WriterReplacedError: There was an appender with a higher fence.
        """

    @abstractmethod
    async def discard_unfinished(self, key: str) -> None:
        """Remove what appenders have written of an unfinished file; none is fine."""

    @abstractmethod
    async def put_file(self, key: str, path: Path) -> None:
        """Store the file at `path`, which may be moved: do not use it afterwards.

        Raises:
            FileNotFoundError: There is nothing at `path`.
        """

    @abstractmethod
    def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to, not including, `end`, in pieces of at most about 1 MiB.

        Raises:
            FileMissingError: Nothing is stored under `key`.
        """

    @abstractmethod
    async def stat(self, key: str) -> StoredFile | None:
        """Size, time and etag of a file; None if nothing is stored under `key`."""

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Remove a file; a missing one is fine."""

    @abstractmethod
    async def delete_prefix(self, prefix: str) -> None:
        """Remove every file in the folder `prefix`; an empty prefix is refused."""

    @abstractmethod
    def list(self, prefix: str = "") -> AsyncGenerator[str, None]:
        """The keys in the folder `prefix`, in no particular order."""

    @abstractmethod
    async def source(self, key: str) -> str:
        """A path or URL that PyAV can open and seek in.

        Raises:
            FileMissingError: Nothing is stored under `key`.
        """

    @abstractmethod
    async def public_url(
        self,
        key: str,
        expires_in_seconds: int,
        content_type: str | None = None,
        filename: str | None = None,
        *,
        attachment: bool = False,
    ) -> str | None:
        """A URL that anybody can read the file at, until it expires; None if the storage has none to give.

        Args:
            key: The file; whether it exists is not checked.
            expires_in_seconds: Life of the URL.
            content_type: The Content-Type it answers with.
            filename: The name a browser saves it under.
            attachment: Whether a browser saves rather than shows it.
        """

    @abstractmethod
    async def remove_abandoned(
        self, older_than_seconds: float, unfinished: Collection[str] = frozenset()
    ) -> int:
        """Remove what unfinished writes of ended processes left, and return how many there were.

        Args:
            older_than_seconds: Younger leftovers stay, since they may be writes that still go on.
            unfinished: Keys of files that somebody will go on with by an `appender`; they stay as well.
        """

    @abstractmethod
    async def free_bytes(self) -> int | None:
        """How much more can be stored; None if the storage cannot say.

        Raises:
            StorageUnavailableError: It does not answer.
        """

    async def put(self, key: str, data: bytes) -> None:
        """Store `data`."""
        async with self.writer(key) as writer:
            await writer.write(data)

    async def get(self, key: str) -> bytes:
        """The whole file.

        Raises:
            FileMissingError: Nothing is stored under `key`.
        """
        return b"".join([chunk async for chunk in self.stream(key)])

    async def download(self, key: str, path: Path) -> None:
        """Copy a file to `path`, where it appears whole or not at all; missing folders are made.

        Raises:
            FileMissingError: Nothing is stored under `key`.
            StorageFullError: There is no room at `path`.
        """
        writer = LocalWriter(str(path), path.with_name(f".{uuid4().hex}"))
        try:
            async with aclosing(self.stream(key)) as chunks:
                async for chunk in chunks:
                    await writer.write(chunk)
            await writer.flush()
            await run_blocking(writer.finish)
            with writing(str(path)):
                await run_blocking(writer.temporary.replace, path)
        except BaseException:
            await run_blocking(writer.discard)
            raise
