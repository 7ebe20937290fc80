"""The worker's side: a pool of warm, disposable analysis processes."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from tasks.process.errors import JobError, JobTimedOutError, ProcessDiedError
from tasks.process.limits import TimeLimit
from tasks.process.options import ProcessOptions
from tasks.process.process import AnalysisProcess
from tasks.process.protocol import Message

__all__ = ["AnalysisProcess", "JobError", "JobTimedOutError", "ProcessDiedError", "ProcessPool"]

log = logging.getLogger(__name__)

_START_LIMIT = TimeLimit(total_seconds=120.0, stall_seconds=120.0)
_PAUSE_SECONDS = 1.0
"""Before another try where a process cannot be started; each further pause is twice as long."""
_LONGEST_PAUSE_SECONDS = 10.0


class ProcessPool:
    """As many analysis processes as slots, each started before it is needed and replaced when it ends.

    Args:
        size: Processes that work at once.
        options: Of each.
    """

    def __init__(self, size: int, options: ProcessOptions) -> None:
        self._size = size
        self._options = options
        self._slots = asyncio.Semaphore(size)
        self._idle: list[AnalysisProcess] = []
        self._all: set[AnalysisProcess] = set()
        self._has_arrived = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = False
        self._busy = 0

    def open(self) -> None:
        """Start the processes, without waiting for them; spare ones when the others are ready."""
        self._is_open = True
        self._in_background(self._fill())

    @property
    def has_idle(self) -> bool:
        """Whether there is a free slot and a process to work in it."""
        return not self._slots.locked() and bool(self._idle)

    @property
    def busy(self) -> int:
        """How many processes are at work."""
        return self._busy

    async def close(self) -> None:
        """End every process."""
        self._is_open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(process.kill() for process in self._all))
        self._all.clear()
        self._idle.clear()

    @contextlib.asynccontextmanager
    async def process(self) -> AsyncIterator[AnalysisProcess]:
        """A process for any number of requests; it is replaced if it does not come back idle and well."""
        async with self._slots:
            process = await self._next_idle()
            self._busy += 1
            try:
                yield process
            finally:
                self._busy -= 1
                self._give_back(process)

    async def _next_idle(self) -> AnalysisProcess:
        """The process used last, which most likely has the model loaded."""
        while True:
            while not self._idle:
                self._has_arrived.clear()
                await self._has_arrived.wait()
            process = self._idle.pop()
            if process.is_idle:
                return process
            self._replace(process)

    def _give_back(self, process: AnalysisProcess) -> None:
        reason = process.reason_to_replace()
        if process.is_idle and reason is None:
            self._add_idle(process)
            return
        log.debug("replacing analysis process %d: %s", process.pid, reason or "it ended, or does not stop")
        self._replace(process)

    def _add_idle(self, process: AnalysisProcess) -> None:
        self._idle.append(process)
        self._has_arrived.set()

    def _replace(self, process: AnalysisProcess) -> None:
        if self._is_open:
            self._in_background(self._end(process))
            self._in_background(self._start())

    def _replace_if_idle(self, process: AnalysisProcess) -> None:
        """One that ends while nobody uses it is replaced before somebody wants to."""
        if process in self._idle:
            self._idle.remove(process)
            log.debug("analysis process %d ended while it was idle", process.pid)
            self._replace(process)

    async def _end(self, process: AnalysisProcess) -> None:
        await process.kill()
        self._all.discard(process)

    async def _fill(self) -> None:
        await asyncio.gather(*(self._start() for _ in range(self._size)))
        for _ in range(self._options.spares):
            await self._start()

    async def _start(self) -> None:
        """Start a process and make it warm, however often that has to be tried."""
        pause_seconds = _PAUSE_SECONDS
        while True:
            try:
                process = await AnalysisProcess.start(self._options)
                self._all.add(process)
                if await self._is_warm(process):
                    return
            except OSError:
                log.exception("an analysis process could not be started")
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    async def _is_warm(self, process: AnalysisProcess) -> bool:
        try:
            await process.request(Message("warm"), limit=_START_LIMIT)
        except (JobError, ProcessDiedError):
            log.exception("an analysis process failed while it started")
            await self._end(process)
            return False
        self._add_idle(process)
        process.on_end(functools.partial(self._replace_if_idle, process))
        return True

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
