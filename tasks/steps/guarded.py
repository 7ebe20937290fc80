"""Doing a piece of work while its claim is kept alive, and no longer."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.25
"""How often a claim is looked after by default: the most that paused work still runs, but for a moment."""


class LostClaimError(Exception):
    """Raised when the work must not go on: paused, cancelled, deleted, or claimed by another worker."""


async def guarded(
    work: Coroutine[Any, Any, T], keep: Callable[[], Awaitable[bool]], *, look_seconds: float = LOOK_SECONDS
) -> T:
    """Do the work; every `look_seconds`, `keep` extends the claim and says whether to go on.

    Raises:
        LostClaimError: `keep` said no, and the work was cancelled. Leaving the pool's block by it ends the
            analysis process, and with it whatever ran there.
    """
    task = asyncio.ensure_future(work)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=look_seconds)
            if done:
                return task.result()
            if not await keep():
                raise LostClaimError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
