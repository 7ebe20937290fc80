"""One at a time, by name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


class TooManyWaitError(Exception):
    """Raised when too many wait for the same turn."""


@dataclass
class _Line:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class Turns:
    """Lets one of those with the same name go on, while the others wait.

    Args:
        longest: So many wait or are on; more are turned away.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def take(self, name: str) -> AsyncIterator[None]:
        """Wait for the turn of this name, and keep it in the block.

        Raises:
            TooManyWaitError: The line is too long.
        """
        line = self._lines.setdefault(name, _Line())
        if line.length >= self._longest:
            raise TooManyWaitError
        line.length += 1
        try:
            async with line.lock:
                yield
        finally:
            line.length -= 1
            if line.length == 0:
                del self._lines[name]
