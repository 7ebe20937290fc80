"""Files in a folder of this machine."""

import errno
import os
import shutil
import stat as stat_modes
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from itertools import islice
from pathlib import Path
from uuid import uuid4

from typing_extensions import override

from storage.base import AbstractStorage, StoredFile
from storage.cancellation import run_blocking
from storage.errors import (
    FileMissingError,
    InvalidKeyError,
    StorageConfigurationError,
    StorageFullError,
    StorageUnavailableError,
)
from storage.keys import check_key, check_prefix
from storage.local_appender import LocalAppender, discard
from storage.local_errors import is_lack_of_room, reading, writing
from storage.local_writer import LocalWriter

_CHUNK_BYTES = 2**20
_COMMIT_ATTEMPTS = 100
_LISTED_AT_ONCE = 1000


class LocalStorage(AbstractStorage):
    """Keeps the file of key ``a/b`` at ``folder/a/b``, and files being written in ``folder/.incoming``.

    What is written in several goes grows at ``folder/.partial/a/b``.

    Args:
        folder: Made when missing. It must be one file system, since finished files are renamed into place.
        fsync: Whether a file is on the disk, safe from a power cut, before it counts as stored. Costs a disk
            flush per file.
    """

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self._folder = folder
        self._incoming = folder / ".incoming"
        self._partial = folder / ".partial"
        self._fsync = fsync

    @override
    async def prepare(self) -> None:
        await run_blocking(self._prepare)

    @override
    async def aclose(self) -> None:
        """Nothing is open between calls."""

    @override
    @asynccontextmanager
    async def writer(self, key: str) -> AsyncIterator[LocalWriter]:
        check_key(key)
        writer = LocalWriter(key, self._new_temporary())
        try:
            yield writer
            await writer.flush()
            await run_blocking(self._commit, writer)
        except BaseException:
            await run_blocking(writer.discard)
            raise

    @override
    @asynccontextmanager
    async def appender(
        self, key: str, *, state: str = "", offset_bytes: int = 0, fence: int = 0
    ) -> AsyncIterator[LocalAppender]:
        appender = LocalAppender(
            check_key(key),
            self._partial / key,
            fence,
            fsync=self._fsync,
            is_stored=self._is_stored,
            move_into_place=self._move_into_place,
        )
        try:
            await run_blocking(appender.open, offset_bytes)
            yield appender
        finally:
            await run_blocking(appender.close)

    @override
    async def discard_unfinished(self, key: str) -> None:
        path = self._partial / check_key(key)
        with writing(key):
            await run_blocking(discard, path)

    @override
    async def put_file(self, key: str, path: Path) -> None:
        check_key(key)
        await run_blocking(self._put_file, key, path)

    @override
    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        check_key(key)
        with reading(key):
            file = await run_blocking(self._open, key, start)
        try:
            while end is None or start < end:
                size_bytes = _CHUNK_BYTES if end is None else min(_CHUNK_BYTES, end - start)
                with reading(key):
                    chunk = await run_blocking(file.read, size_bytes)
                if not chunk:
                    return
                start += len(chunk)
                yield chunk
        finally:
            file.close()

    @override
    async def stat(self, key: str) -> StoredFile | None:
        check_key(key)
        return await run_blocking(self._stat, key)

    @override
    async def delete(self, key: str) -> None:
        check_key(key)
        await run_blocking(self._delete, key)

    @override
    async def delete_prefix(self, prefix: str) -> None:
        if not check_prefix(prefix):
            raise InvalidKeyError("An empty prefix would delete everything that is stored.")
        await run_blocking(self._delete_prefix, check_prefix(prefix))

    @override
    async def list(self, prefix: str = "") -> AsyncGenerator[str, None]:
        keys = self._keys(check_prefix(prefix))
        while batch := await run_blocking(_take, keys):
            for key in batch:
                yield key

    @override
    async def source(self, key: str) -> str:
        path = self._folder / check_key(key)
        with reading(key):
            await run_blocking(_require_file, path)
        return str(path)

    @override
    async def public_url(
        self,
        key: str,
        expires_in_seconds: int,
        content_type: str | None = None,
        filename: str | None = None,
        *,
        attachment: bool = False,
    ) -> str | None:
        """None: the API signs and serves its own URLs for these files."""
        check_key(key)
        return None

    @override
    async def remove_abandoned(
        self, older_than_seconds: float, unfinished: Collection[str] = frozenset()
    ) -> int:
        latest = time.time() - older_than_seconds
        count = await run_blocking(self._remove_abandoned, latest)
        return count + await run_blocking(self._remove_partial, latest, unfinished)

    @override
    async def free_bytes(self) -> int | None:
        """What the file system has left for this account."""
        return await run_blocking(self._free_bytes)

    # What follows runs in threads.

    def _free_bytes(self) -> int:
        try:
            return shutil.disk_usage(self._folder).free
        except OSError as error:
            message = f"The folder {self._folder} cannot be reached: {error.strerror}."
            raise StorageUnavailableError(message) from error

    def _prepare(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._incoming.mkdir(exist_ok=True)
            probe = self._new_temporary()
            probe.touch()
            probe.unlink()
        except OSError as error:
            message = f"Files cannot be stored in {self._folder}: {error.strerror}."
            if is_lack_of_room(error):
                raise StorageFullError(message) from error
            raise StorageConfigurationError(message) from error

    def _new_temporary(self) -> Path:
        return self._incoming / uuid4().hex

    def _commit(self, writer: LocalWriter) -> None:
        writer.finish(fsync=self._fsync)
        self._move_into_place(writer.key, writer.temporary)

    def _move_into_place(self, key: str, path: Path) -> None:
        with writing(key):
            self._move_to(self._folder / key, path)

    def _move_to(self, target: Path, path: Path) -> None:
        for attempt in range(_COMMIT_ATTEMPTS):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
                break
            except (FileNotFoundError, FileExistsError):
                # A delete elsewhere may take the folder away, empty until now, before the file is in it.
                is_lasting = target.parent.is_file() or not path.exists()
                if is_lasting or attempt == _COMMIT_ATTEMPTS - 1:
                    raise
        if self._fsync:
            _fsync(target.parent)

    def _put_file(self, key: str, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"There is no file at {path} to store as {key!r}.")
        temporary = self._new_temporary()
        try:
            with writing(key):
                temporary.parent.mkdir(parents=True, exist_ok=True)
                _move_or_copy(path, temporary)
                if self._fsync:
                    _fsync(temporary)
            self._move_into_place(key, temporary)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _open(self, key: str, start: int) -> FileIO:
        path = self._folder / key
        _require_file(path)
        file = FileIO(path)
        file.seek(start)
        return file

    def _stat(self, key: str) -> StoredFile | None:
        try:
            with reading(key):
                status = (self._folder / key).stat()
        except FileMissingError:
            return None
        if not stat_modes.S_ISREG(status.st_mode):
            return None
        return StoredFile(
            size_bytes=status.st_size,
            modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
            etag=f"{status.st_mtime_ns:x}-{status.st_size:x}",
        )

    def _delete(self, key: str) -> None:
        path = self._folder / key
        with writing(key):
            if path.is_file():
                path.unlink(missing_ok=True)
        self._remove_empty_folders(path.parent)

    def _delete_prefix(self, prefix: str) -> None:
        path = self._folder / prefix
        doomed = self._incoming / uuid4().hex
        with writing(prefix):
            if not path.is_dir():
                return
            self._incoming.mkdir(exist_ok=True)
            # Renamed first: all files vanish at once, and what a crash leaves is swept up later.
            with suppress(FileNotFoundError):
                path.rename(doomed)
                shutil.rmtree(doomed)
        self._remove_empty_folders(path.parent)

    def _remove_empty_folders(self, folder: Path) -> None:
        with suppress(OSError):
            while folder != self._folder:
                folder.rmdir()
                folder = folder.parent

    def _keys(self, prefix: str) -> Iterator[str]:
        for folder, subfolders, names in os.walk(self._folder / prefix):
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            relative = Path(folder).relative_to(self._folder)
            yield from ((relative / name).as_posix() for name in names if not name.startswith("."))

    def _is_stored(self, key: str, size_bytes: int) -> bool:
        stored = self._stat(key)
        return stored is not None and stored.size_bytes == size_bytes

    def _remove_partial(self, latest: float, unfinished: Collection[str]) -> int:
        count = 0
        for folder, _, names in os.walk(self._partial):
            for path in (Path(folder, name) for name in names):
                name = path.name.removeprefix(".").removesuffix(".fence")
                main = path if not path.name.startswith(".") else path.with_name(name)
                if main.relative_to(self._partial).as_posix() in unfinished:
                    continue
                with writing("an abandoned file"), suppress(FileNotFoundError):
                    if path.stat().st_mtime <= latest:
                        path.unlink()
                        count += path == main
        return count

    def _remove_abandoned(self, latest: float) -> int:
        count = 0
        with writing("an abandoned file"), suppress(FileNotFoundError), os.scandir(self._incoming) as entries:
            for entry in entries:
                if entry.stat(follow_symlinks=False).st_mtime > latest:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    Path(entry.path).unlink(missing_ok=True)
                count += 1
        return count


def _take(keys: Iterator[str]) -> Sequence[str]:
    """The next keys, as many as fill little memory."""
    return list(islice(keys, _LISTED_AT_ONCE))


def _move_or_copy(path: Path, target: Path) -> None:
    if not path.is_symlink():  # the target of a link belongs to somebody else
        os.utime(path)
        try:
            path.replace(target)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
    shutil.copyfile(path, target)


def _require_file(path: Path) -> None:
    if not stat_modes.S_ISREG(path.stat().st_mode):
        raise FileNotFoundError(path)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
