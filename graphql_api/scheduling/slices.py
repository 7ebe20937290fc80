"""Long work on the event loop, done in slices."""

import asyncio
import time
from heapq import heappop, heappush
from itertools import count

_WOKEN_AT_ONCE = 32


class Slices:
    """Shares out a little time of each turn of the event loop to all long work together.

    However much of it there is, a short request waits for about one share in each of its own turns, not for
    a piece of every long one.

    Args:
        seconds: The share. A piece that has begun is not interrupted.
    """

    def __init__(self, seconds: float = 0.003) -> None:
        self._seconds = seconds
        self._ends: float | None = None
        """When this turn's share is used up; None if nothing of it is used yet."""
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        """A heap: who has come first is the first to go on, however often he was woken for nothing."""
        self._tickets = count()
        self._woken = 0
        """Those who were woken, and have not looked yet: nobody goes before them."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """Of which the next turn is waited for."""

    def __len__(self) -> int:
        """How many pieces wait."""
        return sum(not turn.done() for _, turn in self._waiting)

    async def next(self) -> None:
        """Wait until a piece of long work may be done; at once while there is something left of the share."""
        if not self._waiting and self._woken <= 0 and self._has_share():
            return
        ticket = next(self._tickets)
        while True:
            turn = asyncio.get_running_loop().create_future()
            heappush(self._waiting, (ticket, turn))
            self._begin()
            try:
                await turn
            finally:
                if not turn.cancelled():
                    self._woken -= 1
            if self._has_share():
                return

    def _has_share(self) -> bool:
        self._begin()
        now = time.monotonic()
        if self._ends is None:
            self._ends = now + self._seconds
            return True
        return now < self._ends

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._ends = None
            self._woken = 0
            loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        if self._ends is None and not self._waiting:
            self._loop = None
            return
        self._ends = None
        woken = 0
        while self._waiting and woken < _WOKEN_AT_ONCE:
            _, turn = heappop(self._waiting)
            if not turn.done() and turn.get_loop() is self._loop:
                turn.set_result(None)
                woken += 1
        self._woken += woken
        # Behind those who were woken. They may have been cancelled: somebody has to look again.
        asyncio.get_running_loop().call_soon(self._next_turn)
