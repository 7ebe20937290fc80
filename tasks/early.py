"""Starting a worker quickly: its analysis processes first, which take longest to get ready."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from dramatiq.asyncio import EventLoopThread, set_event_loop_thread

from settings import Settings
from tasks.process.options import process_options
from tasks.process.pool import ProcessPool

_PATIENCE_SECONDS = 10.0


def make_pool(settings: Settings) -> ProcessPool:
    """The analysis processes of a worker; call it on the event loop that is to run them."""
    is_remote = not settings.resolved_storage_url().startswith("file:")
    pool = ProcessPool(settings.slots, process_options(settings, network=is_remote))
    pool.open()
    return pool


@contextmanager
def early_pool(settings: Settings) -> Iterator[ProcessPool]:
    """Analysis processes that start while the block imports the rest of the worker.

    Their event loop becomes that of the worker, which closes both in its end; so does an error in the block.
    """

    async def start() -> ProcessPool:
        return make_pool(settings)

    thread = EventLoopThread(logging.getLogger("dramatiq.asyncio"))
    thread.start(timeout=_PATIENCE_SECONDS)
    set_event_loop_thread(thread)
    pool = thread.run_coroutine(start())
    try:
        yield pool
    except BaseException:
        asyncio.run_coroutine_threadsafe(pool.close(), thread.loop).result(_PATIENCE_SECONDS)
        thread.stop()  # type: ignore[no-untyped-call]
        raise
