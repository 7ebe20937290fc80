"""Ctrl-C, SIGTERM and SIGHUP: the first asks for an orderly end, the second ends at once."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Interruption:
    """What happened so far, and what a second signal has to do before the process exits.

    Args:
        signal_number: The first signal, once there was one.
        at_once: Called at the second signal.
    """

    signal_number: int | None = None
    at_once: list[Callable[[], None]] = field(default_factory=list)


def run_interruptible(main: Callable[[Interruption], Coroutine[Any, Any, int]]) -> int:
    """Run `main` in a new event loop and give its result, the exit code.

    The first signal cancels `main`, which may catch that, clean up and return an exit code; if it does not
    catch it, the exit code is 128 + the signal's number. The second signal calls `Interruption.at_once` and
    exits there and then.
    """
    interruption = Interruption()
    return asyncio.run(_run(main(interruption), interruption))


async def _run(main: Awaitable[int], interruption: Interruption) -> int:
    task = asyncio.ensure_future(main)

    def interrupt(number: int) -> None:
        if interruption.signal_number is None:
            interruption.signal_number = number
            task.cancel()
            return
        for call in interruption.at_once:
            call()
        os._exit(128 + number)

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt, number)
    try:
        return await task
    except asyncio.CancelledError:
        if interruption.signal_number is None:
            raise
        return 128 + interruption.signal_number
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
