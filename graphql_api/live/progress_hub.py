"""Progress from Redis to subscriptions: one connection a process, the latest state to each watcher."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, TypeVar
from uuid import UUID

from redis.asyncio import Redis
from tortoise.expressions import Q

from domain.accounts.deletion import is_there
from domain.analyses.models import Analysis, AnalysisStatus
from domain.analyses.progress import CHANNEL_PREFIX, ProgressSnapshot, take_snapshot, take_snapshots
from domain.errors import NotSignedInError
from domain.outages import through_outages
from graphql_api.live.feeds import Change, StateFeed, StateWatch, Update
from tasks.redis_clients import REDIS_ERRORS, redis_outage

T = TypeVar("T")

_Look: TypeAlias = Callable[[dict[UUID, ProgressSnapshot]], Awaitable[list[ProgressSnapshot] | None]]

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""How often a watcher looks at the database by itself: what it costs at most when a message is lost."""

_CANCEL_AGAIN_SECONDS = 0.5
_RECONNECT_SECONDS = 0.5
_FINISHED_KNOWN = 100
"""How many finished analyses are remembered, for messages about them that come late."""
_UNFINISHED = (AnalysisStatus.QUEUED, AnalysisStatus.RUNNING, AnalysisStatus.PAUSED)


@dataclass(eq=False)
class _Watcher:
    """What has arrived for one follower and was not handed on yet; only the latest of each analysis."""

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


class _ProgressWatch(StateWatch[T]):
    """Follows one analysis, or all of an owner, by what is published and by looks at the database.

    Args:
        watcher: Where news arrives.
        look: What there is now, given what is known; None when there is nothing left to follow.
        analysis_id: The only analysis to follow; None for all.
        convert: Makes the value of a change from a snapshot.
    """

    def __init__(
        self,
        watcher: _Watcher,
        look: _Look,
        analysis_id: UUID | None,
        convert: Callable[[ProgressSnapshot], T],
    ) -> None:
        self._watcher = watcher
        self._look = look
        self._analysis_id = analysis_id
        self._convert = convert
        self._known: dict[UUID, ProgressSnapshot] = {}
        self._looks_requested = self._looks_served = 0

    def request_look(self) -> int:
        """Look at the database soon."""
        self._looks_requested += 1
        self._watcher.arrived.set()
        return self._looks_requested

    async def updates(self) -> AsyncGenerator[Update[T], None]:
        """The present state, then each change; of one analysis until its final state or deletion."""
        while True:
            self._looks_served = self._looks_requested
            snapshots = await _patiently(partial(self._look, self._known))
            if snapshots is None:
                return
            yield self._update(snapshots, self._looks_served)
            # However much news there is: the message that says the end of one analysis may be lost.
            look_at = time.monotonic() + POLL_SECONDS
            while not self._is_done() and not self._is_look_due(look_at):
                for news in await self._watcher.wait(look_at):
                    if (newer := await self._newer(news)) is not None:
                        yield self._update([newer])
            if self._is_done():
                return

    def _update(self, snapshots: list[ProgressSnapshot], served: int | None = None) -> Update[T]:
        changes = []
        for snapshot in snapshots:
            key = snapshot.analysis_id
            is_new = served is None or _differs(self._known.get(key), snapshot)
            changes.append(Change(key, self._convert(snapshot), snapshot.status.is_final, is_new))
            self._known[key] = snapshot
        return Update(changes, served)

    async def _newer(self, news: ProgressSnapshot) -> ProgressSnapshot | None:
        if self._analysis_id not in (None, news.analysis_id):
            return None
        return await _newer(self._known.get(news.analysis_id), news)

    def _is_done(self) -> bool:
        known = None if self._analysis_id is None else self._known.get(self._analysis_id)
        return known is not None and known.status.is_final

    def _is_look_due(self, look_at: float) -> bool:
        return time.monotonic() >= look_at or self._looks_requested > self._looks_served


class ProgressFeed(StateFeed[T]):
    """The progress of one analysis, or of all unfinished ones of an owner.

    Args:
        hub: Where news comes from.
        owner_id: Whose analyses.
        analysis_id: The only one; its feed ends with its final state. None for all; that feed does not end.
        convert: Makes what subscribers get from a snapshot.
    """

    def __init__(
        self,
        hub: "ProgressHub",
        owner_id: UUID,
        analysis_id: UUID | None,
        convert: Callable[[ProgressSnapshot], T],
    ) -> None:
        self.key = ("progress", owner_id, analysis_id)
        self._hub = hub
        self._owner_id = owner_id
        self._analysis_id = analysis_id
        self._convert = convert

    @contextlib.contextmanager
    def watch(self) -> Iterator[StateWatch[T]]:
        """Follow it."""
        look: _Look
        if self._analysis_id is None:
            look = partial(_look_at_all, self._owner_id)
        else:
            look = partial(_look_at_one, self._owner_id, self._analysis_id)
        with self._hub.watching(self._owner_id) as watcher:
            yield _ProgressWatch(watcher, look, self._analysis_id, self._convert)


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
        task = self._task
        while task is not None and not task.done():
            # redis-py takes a cancellation while it connects for a timeout of its own, and goes on.
            task.cancel()
            await asyncio.wait({task}, timeout=_CANCEL_AGAIN_SECONDS)

    def follow(self, owner_id: UUID, analysis_id: UUID) -> AsyncGenerator[ProgressSnapshot, None]:
        """The present state of one analysis, then each change, to the final state, which is always sent."""
        return ProgressFeed(self, owner_id, analysis_id, _itself).__aiter__()

    def follow_all(self, owner_id: UUID) -> AsyncGenerator[ProgressSnapshot, None]:
        """The present state of every unfinished analysis of an owner, then each change of any; never ends."""
        return ProgressFeed(self, owner_id, None, _itself).__aiter__()

    @contextlib.contextmanager
    def watching(self, owner_id: UUID) -> Iterator[_Watcher]:
        """Hear what is published of an owner's analyses."""
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


def _itself(snapshot: ProgressSnapshot) -> ProgressSnapshot:
    return snapshot


async def _look_at_all(owner_id: UUID, known: dict[UUID, ProgressSnapshot]) -> list[ProgressSnapshot]:
    """The unfinished, and what has finished since the last look; a constant number of statements."""
    for finished in [key for key, snapshot in known.items() if snapshot.status.is_final][:-_FINISHED_KNOWN]:
        del known[finished]
    watched = [key for key, snapshot in known.items() if not snapshot.status.is_final]
    rows = Analysis.filter(Q(status__in=_UNFINISHED) | Q(id__in=watched), owner_id=owner_id)
    return await take_snapshots(await rows.order_by("created_at"))


async def _look_at_one(
    owner_id: UUID, analysis_id: UUID, _known: dict[UUID, ProgressSnapshot]
) -> list[ProgressSnapshot] | None:
    snapshot = await take_snapshot(analysis_id)
    if snapshot is not None:
        return [snapshot]
    if not await is_there(owner_id):
        # The analysis went with its account, whose sessions ended first.
        raise NotSignedInError("The session has ended.")
    return None


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
    return _told(snapshot) != _told(last)


def _told(snapshot: ProgressSnapshot) -> tuple[object, ...]:
    """What makes a snapshot news if it is another."""
    return (
        snapshot.status,
        snapshot.frames_done,
        snapshot.progress,
        snapshot.counts,
        snapshot.people_count,
    )
