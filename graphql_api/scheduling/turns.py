"""What many clients cause at the same moment, done a little in each turn of the event loop.

The loop runs whatever is ready before it looks at anything else: a thousand sockets whose time is up together
would keep everybody waiting until the last of them is closed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextvars import Context, copy_context
from typing import TypeVar

T = TypeVar("T")


class Turns:
    """Runs so many pieces of work in each turn of the loop, in the order in which they came.

    Args:
        most_per_turn: How many; each is short, and so is what it sets going in the next turns.
    """

    def __init__(self, most_per_turn: int) -> None:
        self._most_per_turn = most_per_turn
        self._left = most_per_turn
        self._waiting: deque[tuple[Context, Callable[[], None]]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        """Of which the next turn is waited for."""

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self) -> bool:
        """Whether something may be done now; if so, it counts."""
        if self._waiting or not self._left:
            return False
        self._left -= 1
        self._begin()
        return True

    def take(self, work: Callable[[], None]) -> None:
        """Do this now if there is room in this turn, else in one of the next."""
        if self.enter():
            work()
        else:
            self.put_off(work)

    def put_off(self, work: Callable[[], None]) -> None:
        """Do this in one of the next turns."""
        self._waiting.append((copy_context(), work))
        self._begin()

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._loop = None
        self._left = self._most_per_turn
        if self._waiting:
            self._begin()
        for _ in range(min(len(self._waiting), self._most_per_turn)):
            self._left -= 1
            context, work = self._waiting.popleft()
            try:
                context.run(work)
            except Exception as error:
                report = {"message": f"{work!r} failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(report)


async def in_slices(things: Iterable[T], size: int) -> AsyncIterator[list[T]]:
    """All of these, so many at a time, with a turn for others in between."""
    listed = list(things)
    for start in range(0, len(listed), size):
        if start:
            await asyncio.sleep(0)
        yield listed[start : start + size]
