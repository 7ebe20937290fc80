"""Stopping a job while its process lives on, as the analysis process sees it."""

import contextlib
import os
import signal
import struct
from collections.abc import Callable, Iterator
from types import FrameType

from tasks.process.protocol import Message

STOP_SIGNAL = signal.SIGUSR1
STOPPED = "stopped"

_NUMBER = struct.Struct("<Q")


def encode_stop(number: int) -> bytes:
    """What the worker writes, before it sends `STOP_SIGNAL`, to stop its request of this number."""
    return _NUMBER.pack(number)


class JobStopped(BaseException):
    """Raised in the middle of a job that is to stop."""


class Stopper:
    """Raises `JobStopped` in the job that the worker wants stopped, and nowhere else.

    The signal only says "look": which request is meant stands in a pipe. So a signal that comes too early
    or too late does no harm.

    Args:
        descriptor: The pipe's end to read from.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._wanted = 0
        self._running = 0
        self._indivisible = 0
        self._has_raised = False

    def listen(self) -> None:
        """Take signals from here on; call it in the main thread."""
        signal.signal(STOP_SIGNAL, self._on_signal)

    def run(self, number: int, job: Callable[[], Message]) -> Message:
        """The job's answer, or that it was stopped."""
        try:
            self._indivisible = 0
            self._has_raised = False
            self._running = number
            try:
                self.check()
                answer = job()
            finally:
                self._running = 0
        except JobStopped:
            return Message(STOPPED)
        return answer

    def check(self) -> None:
        """Raise `JobStopped` if the running job is to stop, also when it was raised and swallowed before."""
        if self._running and self._running == self._wanted and not self._indivisible:
            self._has_raised = True
            raise JobStopped

    @contextlib.contextmanager
    def indivisible(self) -> Iterator[None]:
        """A block that is done whole or not begun; a stop waits for its end."""
        self._indivisible += 1
        try:
            yield
        finally:
            self._indivisible -= 1
        self.check()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._descriptor, 4096)
            for (number,) in _NUMBER.iter_unpack(data[: len(data) // _NUMBER.size * _NUMBER.size]):
                self._wanted = max(self._wanted, number)
        # Once only: a second signal would cut short what the first one made the job clean up.
        if not self._has_raised:
            self.check()
