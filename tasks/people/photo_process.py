"""The process in which the API has photos of strangers looked at."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from settings import Settings
from tasks.process.errors import JobError, ProcessDiedError
from tasks.process.limits import TimeLimit
from tasks.process.options import process_options
from tasks.process.process import AnalysisProcess
from tasks.process.protocol import Message

log = logging.getLogger(__name__)

IDLE_SECONDS = 300.0
"""After so long without a photo the process ends, and gives back its memory."""

MOST_WAITING = 32
"""Photos that wait for the one that is being looked at."""

_START_LIMIT = TimeLimit(60.0, 60.0)
_PHOTO_LIMIT = TimeLimit(60.0, 60.0)
"""Far more than the largest photo takes; a decoder that hangs is ended by it."""


class TooManyPhotosError(Exception):
    """Raised when as many photos wait as may."""


class PhotoProcess:
    """One warm process, started at the first photo: photos take turns.

    Args:
        settings: Of this server.
        idle_seconds: After so long without a photo it ends.
    """

    def __init__(self, settings: Settings, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._settings = settings
        self._idle_seconds = idle_seconds
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: AnalysisProcess | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """Of the process; None if there is none."""
        return None if self._process is None else self._process.pid

    async def find_faces(self, photo: Callable[[], Any], values: dict[str, Any]) -> Message:
        """What `tasks.process.photo.find_faces` answers.

        Args:
            photo: Gives an awaitable of the bytes of the file, which are read when it is the photo's turn.
            values: Of the request.

        Raises:
            JobError: It cannot use the photo, or a model.
            ProcessDiedError: The process crashed at it, or took too long.
            TooManyPhotosError: Others wait already.
        """
        if self._waiting >= MOST_WAITING:
            raise TooManyPhotosError
        self._waiting += 1
        try:
            async with self._turn:
                request = Message("find_faces", values, [await photo()])
                try:
                    return await self._ask(request)
                except ProcessDiedError as error:
                    if not error.is_interruption:
                        raise
                    return await self._ask(request)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the process."""
        self._stop_timer()
        await self._end()
        await asyncio.gather(*self._ending)

    async def _ask(self, request: Message) -> Message:
        self._stop_timer()
        process = await self._ready()
        try:
            return await process.request(request, limit=_PHOTO_LIMIT)
        finally:
            if process.is_idle and process.reason_to_replace() is None:
                self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._end_soon)
            else:
                await self._end()

    async def _ready(self) -> AnalysisProcess:
        if self._process is not None and self._process.is_idle:
            return self._process
        await self._end()
        # Its files come over the pipe: it needs no network, whatever models of analyses may need.
        options = replace(process_options(self._settings, network=False), network=False)
        process = self._process = await AnalysisProcess.start(options)
        try:
            await process.request(Message("get_ready_for_photos"), limit=_START_LIMIT)
        except (JobError, ProcessDiedError):
            log.exception("the process for photos failed while it started")
            raise
        return process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.kill()

    def _end_soon(self) -> None:
        """The time is up. A photo that came in this very moment starts another process."""
        if self._turn.locked():
            return
        task = asyncio.get_running_loop().create_task(self._end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
