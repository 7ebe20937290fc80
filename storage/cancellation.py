"""Work that must not be left half done when its task is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

import anyio

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


async def uncancelled(awaitable: Awaitable[T]) -> T:
    """Await `awaitable` to its end even if the task is cancelled meanwhile; the cancellation follows then.

    Both kinds of cancellation are held back: that of asyncio tasks and that of anyio scopes.
    """
    future = asyncio.ensure_future(awaitable)
    cancellation: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError as error:
                cancellation = error
    if cancellation is not None:
        if not future.cancelled():
            future.exception()  # seen, so that asyncio does not log it as lost
        raise cancellation
    return future.result()


async def run_blocking(function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Run `function` in a thread; when this returns or raises, the thread is done with it.

    `asyncio.to_thread` and anyio's `run_sync` return at once when the task is cancelled, while the thread may
    still write to the file that the caller is about to close or remove.
    """
    return await uncancelled(asyncio.get_running_loop().run_in_executor(None, function, *arguments))
