"""A file on its way to the disk in several goes."""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.appending import Saved
from storage.cancellation import run_blocking
from storage.errors import FileMissingError, WriterReplacedError
from storage.local_errors import writing

_MOST_PIECES = 512
"""In one call of the operating system, which takes 1024 at least."""

_FENCE_BYTES = 20


class LocalAppender:
    """Writes behind what is there already.

    A small file beside it holds the highest fence; whoever writes locks it and looks. So a process that was
    thought dead writes nothing once another one has taken over, and needs no way to hear of it.

    Args:
        key: What the file will be called.
        path: Where it grows.
        fence: This writer's number; a writer with a higher one takes over.
        fsync: Whether what is saved is on the disk, safe from a power cut.
        is_stored: Whether a file of this length lies under the key.
        move_into_place: Gives the file at a path its key.
    """

    def __init__(
        self,
        key: str,
        path: Path,
        fence: int,
        *,
        fsync: bool,
        is_stored: Callable[[str, int], bool],
        move_into_place: Callable[[str, Path], None],
    ) -> None:
        self._key = key
        self._path = path
        self._fence = fence
        self._fsync = fsync
        self._is_stored = is_stored
        self._move_into_place = move_into_place
        self._offset_bytes = 0
        self._file: int | None = None
        self._lock: int | None = None

    def open(self, offset_bytes: int) -> None:
        """Take over, and cut off what lies behind the offset. Blocks."""
        self._offset_bytes = offset_bytes
        with writing(self._key):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(fence_path(self._path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with self._guarded():
                os.pwrite(self._lock, f"{self._fence:0{_FENCE_BYTES}}".encode(), 0)
                self._open_file()

    async def write(self, pieces: Sequence[bytes]) -> None:
        """Append the pieces."""
        await run_blocking(self._write, pieces)

    async def save(self, *, whole: bool = True) -> Saved:
        """All that was written; with `fsync` it is flushed first."""
        offset_bytes = self._offset_bytes
        if self._fsync and self._file is not None:
            await run_blocking(self._flush)
        return Saved(offset_bytes, "")

    async def finish(self) -> None:
        """Rename the file into place."""
        await run_blocking(self._finish)

    def close(self) -> None:
        """Let go of the file, which stays. Blocks."""
        for descriptor in (self._file, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._lock = None

    def _open_file(self) -> None:
        create = os.O_CREAT if self._offset_bytes == 0 else 0
        try:
            self._file = os.open(self._path, os.O_WRONLY | create | os.O_CLOEXEC, 0o600)
        except FileNotFoundError as error:
            fence_path(self._path).unlink(missing_ok=True)
            if not self._is_stored(self._key, self._offset_bytes):
                raise FileMissingError(f"What was written of {self._key!r} is gone.") from error
            return
        if os.fstat(self._file).st_size < self._offset_bytes:
            raise FileMissingError(f"Some of what was written of {self._key!r} is gone.")
        os.ftruncate(self._file, self._offset_bytes)

    def _write(self, pieces: Sequence[bytes]) -> None:
        if self._file is None:
            raise FileMissingError(f"{self._key!r} is finished.")
        with writing(self._key), self._guarded():
            os.lseek(self._file, self._offset_bytes, os.SEEK_SET)
            for start in range(0, len(pieces), _MOST_PIECES):
                _write_all(self._file, pieces[start : start + _MOST_PIECES])
        self._offset_bytes += sum(map(len, pieces))

    def _flush(self) -> None:
        with writing(self._key):
            if self._file is not None:
                os.fsync(self._file)

    def _finish(self) -> None:
        if self._file is None:
            return
        with writing(self._key), self._guarded():
            if not self._path.exists():
                if self._is_stored(self._key, self._offset_bytes):
                    return
                raise FileMissingError(f"What was written of {self._key!r} is gone.")
            os.ftruncate(self._file, self._offset_bytes)
            if self._fsync:
                os.fsync(self._file)
            self._move_into_place(self._key, self._path)
            fence_path(self._path).unlink(missing_ok=True)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Lets nobody else write, once it is sure that nobody has taken over."""
        if self._lock is None:
            raise ValueError("this appender is closed")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            if int(os.pread(self._lock, _FENCE_BYTES, 0) or b"0") > self._fence:
                raise WriterReplacedError(f"Somebody else has taken over the writing of {self._key!r}.")
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


def fence_path(path: Path) -> Path:
    """Where the fence of an unfinished file is; no part of a key begins with a dot."""
    return path.with_name(f".{path.name}.fence")


def discard(path: Path) -> None:
    """Remove an unfinished file; a missing one is fine. Blocks."""
    for one in (path, fence_path(path)):
        with suppress(FileNotFoundError, NotADirectoryError):
            one.unlink()


def _write_all(file: int, pieces: Sequence[bytes]) -> None:
    views = [memoryview(piece) for piece in pieces if piece]
    while views:
        written = os.writev(file, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views:
            views[0] = views[0][written:]
