"""How long the event loop is kept from other work."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


class LoopWatch:
    """The longest step of the event loop, in processor time: what else runs on the machine does not count."""

    longest_seconds = 0.0

    def reset(self) -> None:
        self.longest_seconds = 0.0


@contextmanager
def watched_loop() -> Iterator[LoopWatch]:
    watch = LoopWatch()
    run = asyncio.events.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        begun = time.thread_time()
        try:
            run(handle)
        finally:
            watch.longest_seconds = max(watch.longest_seconds, time.thread_time() - begun)

    with patch.object(asyncio.events.Handle, "_run", timed):
        yield watch
