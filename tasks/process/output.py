"""What an analysis process writes on standard error: it goes to the worker's log."""

import asyncio
import contextlib
import logging
import os

log = logging.getLogger(__name__)

_CHUNK_BYTES = 64 * 1024
_KEPT_BYTES = 8 * 1024


class ErrorOutput:
    """Logs each line and keeps the last ones, which may tell why the process ended.

    Args:
        pid: Of the process.
        descriptor: The pipe's end to read from; closed with this.
    """

    def __init__(self, pid: int, descriptor: int) -> None:
        self._pid = pid
        self._descriptor: int | None = descriptor
        self._line = b""
        self._kept = b""
        os.set_blocking(descriptor, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    def forget(self) -> None:
        """What was written up to now tells nothing of what comes."""
        self.last_words()
        self._kept = b""

    def last_words(self) -> bytes:
        """The end of what the process wrote; all is read that it has written up to now."""
        while self._read():
            pass
        return self._kept

    def close(self) -> None:
        """Read no more."""
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _read(self) -> bool:
        """Take over what is there; False when there is nothing more now."""
        data = None
        if self._descriptor is not None:
            with contextlib.suppress(BlockingIOError):
                data = os.read(self._descriptor, _CHUNK_BYTES)
        if not data:
            if data is not None:
                self.close()
            return False
        self._kept = (self._kept + data)[-_KEPT_BYTES:]
        *lines, rest = (self._line + data).split(b"\n")
        self._line = rest[-_KEPT_BYTES:]
        for line in lines:
            log.info("analysis process %d: %s", self._pid, line.decode(errors="replace"))
        return True
