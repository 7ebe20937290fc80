"""Progress from Redis to subscriptions: one connection a process, the latest state to each watcher."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import UUID

from redis.asyncio import Redis
from tortoise.expressions import Q

from domain.analyses.models import Analysis, AnalysisStatus
from domain.analyses.progress import CHANNEL_PREFIX, ProgressSnapshot, take_snapshot, take_snapshots
from domain.outages import through_outages
from tasks.redis_clients import REDIS_ERRORS, redis_outage

T = TypeVar("T")

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""How often a watcher looks at the database by itself: what it costs at most when a message is lost."""

_RECONNECT_SECONDS = 0.5
_UNFINISHED = (AnalysisStatus.QUEUED, AnalysisStatus.RUNNING, AnalysisStatus.PAUSED)


@dataclass(eq=False)
class _Watcher:
    """What has arrived for one subscription and was not sent yet; only the latest of each analysis."""

    news: dict[UUID, ProgressSnapshot] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, until: float) -> list[ProgressSnapshot]:
        """The news as soon as there is some, or none at that time of the monotonic clock."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.arrived.wait(), max(0.0, until - time.monotonic()))
        self.arrived.clear()
        news = list(self.news.values())
        self.news.clear()
        return news


class ProgressHub:
    """Hands the progress that workers publish to the subscriptions of this process."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._watchers: dict[UUID, set[_Watcher]] = {}
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to listen."""
        self._task = asyncio.get_running_loop().create_task(self._listen_for_ever())

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def follow(self, owner_id: UUID, analysis_id: UUID) -> AsyncIterator[ProgressSnapshot]:
        """The present state of one analysis, then each change, to the final state, which is always sent."""
        with self._watch(owner_id) as watcher:
            last = await _look_at(analysis_id)
            while last is not None:
                yield last
                last = None if last.status.is_final else await self._next(watcher, analysis_id, last)

    async def follow_all(self, owner_id: UUID) -> AsyncIterator[ProgressSnapshot]:
        """The present state of every unfinished analysis of an owner, then each change of any; never ends."""
        with self._watch(owner_id) as watcher:
            known: dict[UUID, ProgressSnapshot] = {}
            while True:
                for snapshot in await _patiently(partial(self._changes, owner_id, known)):
                    yield snapshot
                # However much news there is: the message that says the end of one analysis may be lost.
                look_at = time.monotonic() + POLL_SECONDS
                while time.monotonic() < look_at:
                    for news in await watcher.wait(look_at):
                        newer = await _newer(known.get(news.analysis_id), news)
                        if newer is not None:
                            known[newer.analysis_id] = newer
                            yield newer

    async def _changes(self, owner_id: UUID, known: dict[UUID, ProgressSnapshot]) -> list[ProgressSnapshot]:
        """What differs from what is known, and is known from now on; a constant number of statements."""
        watched = [analysis_id for analysis_id, snapshot in known.items() if not snapshot.status.is_final]
        rows = Analysis.filter(Q(status__in=_UNFINISHED) | Q(id__in=watched), owner_id=owner_id)
        snapshots = await take_snapshots(await rows.order_by("created_at"))
        changes = [one for one in snapshots if _differs(known.get(one.analysis_id), one)]
        known.update((one.analysis_id, one) for one in changes)
        return changes

    async def _next(
        self, watcher: _Watcher, analysis_id: UUID, last: ProgressSnapshot
    ) -> ProgressSnapshot | None:
        """The next state worth sending; None when the analysis is gone."""
        look_at = time.monotonic() + POLL_SECONDS
        while True:
            for news in await watcher.wait(look_at):
                if news.analysis_id == analysis_id:
                    snapshot = await _newer(last, news)
                    if snapshot is not None:
                        return snapshot
            # Also while other analyses of the owner are busy: nobody tells of a deleted one.
            if time.monotonic() >= look_at:
                snapshot = await _look_at(analysis_id)
                if snapshot is None or _differs(last, snapshot):
                    return snapshot
                look_at = time.monotonic() + POLL_SECONDS

    @contextlib.contextmanager
    def _watch(self, owner_id: UUID) -> Iterator[_Watcher]:
        watcher = _Watcher()
        self._watchers.setdefault(owner_id, set()).add(watcher)
        try:
            yield watcher
        finally:
            watchers = self._watchers[owner_id]
            watchers.discard(watcher)
            if not watchers:
                del self._watchers[owner_id]

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except REDIS_ERRORS as error:
                redis_outage.failed("watchers look at the database", error)
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.psubscribe(f"{CHANNEL_PREFIX}*")
            async for message in pubsub.listen():
                redis_outage.answered()
                if message["type"] == "pmessage":
                    self._deliver(message["data"])

    def _deliver(self, data: bytes) -> None:
        try:
            snapshot = ProgressSnapshot.from_json(data)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            # A worker of another version, while one after the other is replaced.
            log.debug("progress in a form that is not known here: %r", error)
            return
        for watcher in self._watchers.get(snapshot.owner_id, ()):
            watcher.news[snapshot.analysis_id] = snapshot
            watcher.arrived.set()


async def _look_at(analysis_id: UUID) -> ProgressSnapshot | None:
    return await _patiently(partial(take_snapshot, analysis_id))


async def _patiently(look: Callable[[], Awaitable[T]]) -> T:
    """A database that is away for a while ends no subscription."""
    return await through_outages(look, patience_seconds=math.inf, what="a subscription of progress")


async def _newer(last: ProgressSnapshot | None, news: ProgressSnapshot) -> ProgressSnapshot | None:
    """What to send for a message: a change of status is read again, for messages may come out of order."""
    if last is not None and news.status == last.status and not news.status.is_final:
        return news if news.progress >= last.progress and news != last else None
    snapshot = await _look_at(news.analysis_id)
    return snapshot if snapshot is not None and _differs(last, snapshot) else None


def _differs(last: ProgressSnapshot | None, snapshot: ProgressSnapshot) -> bool:
    if last is None:
        return True
    return (snapshot.status, snapshot.frames_done, snapshot.progress, snapshot.counts) != (
        last.status,
        last.frames_done,
        last.progress,
        last.counts,
    )
