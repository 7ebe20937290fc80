"""Long work of many connections, kept to a share of the event loop's time."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

Work = Callable[[], None]

_SHORTEST_PAUSE_SECONDS = 0.001
"""Timers are no more exact than that."""


class PacedWork:
    """Does pieces of work in turn, so that all of them together take no more than a share of the time.

    What counts is the CPU time that a piece took, not how much it seemed to be. A piece is done at once as
    long as the share is not used up.

    Args:
        share: Of one CPU.
        saved_seconds: Most CPU time that is saved up while there is nothing to do: after so much others have
            their turn, when the piece that has begun is done.
        cpu_clock: CPU seconds of the loop's thread.
        clock: Seconds that pass.
    """

    def __init__(
        self,
        share: float,
        saved_seconds: float,
        cpu_clock: Callable[[], float] = time.thread_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = share
        self._saved_seconds = self._left_seconds = saved_seconds
        self._cpu_clock = cpu_clock
        self._clock = clock
        self._counted_at = float("-inf")
        self._waiting: deque[Work] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        """In which the next pieces are waited for."""

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, work: Work) -> None:
        """Do this now if there is time, else when there is."""
        if self._waiting or not self._has_time():
            self.put_off(work)
        else:
            self._do(work)

    def put_off(self, work: Work) -> None:
        """Do this after what waits already."""
        self._waiting.append(work)
        self._begin()

    def _has_time(self) -> bool:
        now = self._clock()
        gained_seconds = (now - self._counted_at) * self._share
        self._counted_at = now
        self._left_seconds = min(self._saved_seconds, self._left_seconds + gained_seconds)
        return self._left_seconds > 0

    def _do(self, work: Work) -> None:
        began = self._cpu_clock()
        try:
            work()
        finally:
            self._left_seconds -= self._cpu_clock() - began

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            lacking_seconds = -self._left_seconds / self._share
            pause_seconds = max(lacking_seconds, _SHORTEST_PAUSE_SECONDS) if lacking_seconds >= 0 else 0.0
            loop.call_later(pause_seconds, self._go_on)

    def _go_on(self) -> None:
        self._loop = None
        while self._waiting and self._has_time():
            work = self._waiting.popleft()
            try:
                self._do(work)
            except Exception as error:
                report = {"message": f"{work!r} failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(report)
        if self._waiting:
            self._begin()
