"""A few at a time, and each caller in turn."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class FairGate:
    """Lets so many in at once. Callers with much to do wait for those with little, not the other way round.

    Those of one caller are let in as they came; the callers take turns. Who is cancelled while waiting leaves
    the line.

    Args:
        places: So many are in at once.
        hold_seconds: Who stays longer does not count any more: what waits for something else, be it something
            that is away, must not keep the rest waiting with it.
    """

    def __init__(self, places: int, hold_seconds: float) -> None:
        self._free = places
        self._hold_seconds = hold_seconds
        self._lines: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._lines.values()))

    @asynccontextmanager
    async def place(self, caller: Hashable) -> AsyncIterator[bool]:
        """Be in during the block; whether one had to wait for it."""
        has_waited = await self._enter(caller)
        holds = True

        def leave() -> None:
            nonlocal holds
            if holds:
                holds = False
                self._let_next_in()

        timer = asyncio.get_running_loop().call_later(self._hold_seconds, leave)
        try:
            yield has_waited
        finally:
            timer.cancel()
            leave()

    async def _enter(self, caller: Hashable) -> bool:
        if self._free:
            self._free -= 1
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(caller, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(caller, turn)
            else:
                self._let_next_in()
            raise
        return True

    def _forget(self, caller: Hashable, turn: "asyncio.Future[None]") -> None:
        line = self._lines.get(caller, deque())
        if turn in line:
            line.remove(turn)
            if not line:
                del self._lines[caller]

    def _let_next_in(self) -> None:
        for caller in list(self._lines):
            line = self._lines.pop(caller)
            while line:
                turn = line.popleft()
                if turn.done():
                    continue  # cancelled just now
                if line:
                    self._lines[caller] = line
                turn.set_result(None)
                return
        self._free += 1
