"""A file on its way to the disk."""

import os
from io import FileIO
from pathlib import Path

from storage.cancellation import run_blocking
from storage.local_errors import writing

CHUNK_BYTES = 2**20


class LocalWriter:
    """Collects small pieces, so that a thread is asked once per MiB; the file is opened by the first one."""

    def __init__(self, key: str, temporary: Path) -> None:
        self.key = key
        self.temporary = temporary
        self._file: FileIO | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    async def write(self, data: bytes) -> None:
        """Append `data`."""
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= CHUNK_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Hand what was collected to the operating system."""
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        await run_blocking(self._append, pending)

    def finish(self, *, fsync: bool = False) -> None:
        """Close the file; with `fsync` it is on the disk then. Blocks."""
        file = self._opened()
        with writing(self.key):
            if fsync:
                os.fsync(file.fileno())
            file.close()

    def discard(self) -> None:
        """Close and remove the file; harmless where it has been renamed. Blocks."""
        if self._file is not None:
            self._file.close()
        self.temporary.unlink(missing_ok=True)

    def _append(self, pieces: list[bytes]) -> None:
        file = self._opened()
        with writing(self.key):
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    rest = rest[file.write(rest) :]

    def _opened(self) -> FileIO:
        if self._file is None:
            with writing(self.key):
                self.temporary.parent.mkdir(parents=True, exist_ok=True)
                self._file = FileIO(self.temporary, "x")
        return self._file
