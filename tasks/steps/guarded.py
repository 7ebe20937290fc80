"""Doing a piece of work while its claim is kept alive, and no longer."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from domain.outages import is_outage

T = TypeVar("T")

LOOK_SECONDS = 0.25
"""How often a claim is looked after by default: the most that paused work still runs, but for a moment."""


class LostClaimError(Exception):
    """Raised when the work must not go on: paused, cancelled, deleted, or claimed by another worker."""


async def guarded(
    work: Coroutine[Any, Any, T], keep: Callable[[], Awaitable[bool]], *, look_seconds: float = LOOK_SECONDS
) -> T:
    """Do the work; every `look_seconds`, `keep` extends the claim and says whether to go on.

    While the database is away the work goes on: nobody else can claim it meanwhile, and if somebody can, the
    fencing token decides.

    Raises:
        LostClaimError: `keep` said no, and the work was cancelled: the analysis process stopped it, or was
            ended.
    """
    task = asyncio.ensure_future(work)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=look_seconds)
            if done:
                return task.result()
            if not await _may_go_on(keep):
                raise LostClaimError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _may_go_on(keep: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await keep()
    except Exception as error:
        if not is_outage(error):
            raise
        return True
