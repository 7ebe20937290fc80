"""Subscribers of the same log: each entry is executed once, and nobody misses one, however slow."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from graphql_api.live.feeds import Entry, LogFeed
from graphql_api.scheduling.turns import in_slices
from graphql_api.websocket.execution import Renderer
from graphql_api.websocket.subscriber import SENT_PER_TURN, Subscriber

_SHARED_SECONDS = 1.0
"""How long a result may be sent to others: what an entry refers to is shown as it is when it is sent."""
_MAX_SHARED = 1_000


class _Member:
    """One subscriber that waits for the next entry."""

    def __init__(self, subscriber: Subscriber, position: int) -> None:
        self.subscriber = subscriber
        self.position = position
        self.woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def offer(self, number: int, payload: str) -> None:
        """Send the entry at once if it is the next and the client takes it; else have it read."""
        if self.woken.done() or number <= self.position:
            return
        if number == self.position + 1 and self.subscriber.try_send_next(payload):
            self.position = number
        else:
            self.wake()

    def wake(self) -> None:
        """Have the subscriber look for itself."""
        if not self.woken.done():
            self.woken.set_result(None)


class LogGroup:
    """Everybody who follows the same log with the same question, from whatever position.

    Args:
        feed: The log.
        renderer: Executes the entries.
        on_end: Called when the group takes nobody in any more.
    """

    def __init__(self, feed: LogFeed[Any], renderer: Renderer, on_end: "Callable[[LogGroup], None]") -> None:
        self._feed = feed
        self._renderer = renderer
        self._on_end = on_end
        self._subscribers = 0
        self._waiting: set[_Member] = set()
        self._head = 0
        """The number of the newest entry that has been offered to all."""
        self._results: dict[int, tuple[float, asyncio.Future[str]]] = {}
        self._reads: dict[int, asyncio.Task[list[tuple[int, str]]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._has_ended = False
        self._error: Exception | None = None

    async def serve(self, subscriber: Subscriber, feed: LogFeed[Any]) -> None:
        """Send every entry that follows where `feed` begins, until the log is gone.

        Raises:
            Exception: The log does not reach from there, or what else ended it.
        """
        self._subscribers += 1
        try:
            await self._follow(subscriber, await feed.position())
        finally:
            self._subscribers -= 1
            if not self._subscribers:
                self._on_end(self)
                if self._task is not None:
                    self._task.cancel()

    async def _follow(self, subscriber: Subscriber, position: int) -> None:
        while True:
            page = await self._read(position)
            for number, payload in page:
                await subscriber.send_next(payload)
                position = number
            if len(page) < self._feed.page_size:
                self._begin(position)
                position = await self._wait(subscriber, position)
                if self._has_ended:
                    break
        if self._error is not None:
            raise self._error

    async def _wait(self, subscriber: Subscriber, position: int) -> int:
        """Take what is offered until something has to be read; the position reached."""
        if self._has_ended or position < self._head:
            return position
        member = _Member(subscriber, position)
        self._waiting.add(member)
        try:
            await member.woken
        finally:
            self._waiting.discard(member)
        return member.position

    def _begin(self, position: int) -> None:
        if self._task is None:
            self._head = position
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with aclosing(self._feed.pages(self._head)) as pages:
                async for page in pages:
                    for entry in page:
                        payload = await self._result(entry)
                        self._head = entry.number
                        async for members in in_slices(self._waiting, SENT_PER_TURN):
                            for member in members:
                                member.offer(entry.number, payload)
        except Exception as error:
            self._error = error
        self._has_ended = True
        self._on_end(self)
        for member in self._waiting:
            member.wake()

    async def _read(self, after: int) -> list[tuple[int, str]]:
        """The results of a page; those who ask at the same time share the reading."""
        task = self._reads.get(after)
        if task is None:
            task = self._reads[after] = asyncio.create_task(self._read_page(after))
            task.add_done_callback(lambda _task: self._reads.pop(after, None))
            task.add_done_callback(_note_error)
        return await asyncio.shield(task)

    async def _read_page(self, after: int) -> list[tuple[int, str]]:
        return [(entry.number, await self._result(entry)) for entry in await self._feed.read(after)]

    async def _result(self, entry: Entry[Any]) -> str:
        """The result for an entry, executed anew if the last is not of this moment."""
        now = time.monotonic()
        known = self._results.get(entry.number)
        if known is None or known[0] < now - _SHARED_SECONDS:
            self._drop_results(now)
            result = asyncio.ensure_future(self._renderer.render(entry.value))
            result.add_done_callback(_note_error)
            known = self._results[entry.number] = (now, result)
        return await asyncio.shield(known[1])

    def _drop_results(self, now: float) -> None:
        for number in list(self._results):
            if self._results[number][0] >= now - _SHARED_SECONDS and len(self._results) < _MAX_SHARED:
                break
            del self._results[number]


def _note_error(task: asyncio.Future[Any]) -> None:
    """Whoever waited for the task may be gone: nobody has to be told then."""
    if not task.cancelled():
        task.exception()
