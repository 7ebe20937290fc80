"""What a subscription's resolver returns when all who ask alike may share it.

Iterated over, a feed is an ordinary stream of events for one subscriber. The WebSocket side knows more: it
lets one task follow the feed for everybody, executes and encodes each event once, and sends the same bytes to
all (`graphql_api.websocket.fan_out`). Equal `key`s mean equal content, so whatever the content depends on,
above all the owner, belongs into the key.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Sequence
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True)
class Change(Generic[T]):
    """The present state of one thing; a newer one of the same `key` takes its place."""

    key: Hashable
    value: T
    is_final: bool = False
    """Whether nothing more comes of this thing."""
    is_new: bool = True
    """Whether it differs from the last; what does not is of use to newcomers alone."""


@dataclass(frozen=True)
class Update(Generic[T]):
    """What has changed, and after a look at the whole everything that is there."""

    changes: Sequence[Change[T]]
    served: int | None = None
    """After a look at the whole: the number of requests for one that it serves. None: no such look."""


class StateWatch(ABC, Generic[T]):
    """One follower of a `StateFeed`."""

    @abstractmethod
    def request_look(self) -> int:
        """Have the whole looked at soon, for somebody new; the number of this request."""

    @abstractmethod
    def updates(self) -> AsyncGenerator[Update[T], None]:
        """The changes, the first of them the present state; ends when nothing more can come."""


class Feed(ABC, Generic[T]):
    """A stream of events that may be shared."""

    key: Hashable

    @abstractmethod
    def __aiter__(self) -> AsyncGenerator[T, None]:
        """The events for one subscriber alone."""


class StateFeed(Feed[T]):
    """The present state of things, then each change; only the latest state of each matters."""

    @abstractmethod
    def watch(self) -> AbstractContextManager[StateWatch[T]]:
        """Follow it."""

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        """Every change as it comes."""
        with self.watch() as watch:
            async with aclosing(watch.updates()) as updates:
                async for update in updates:
                    for change in update.changes:
                        if change.is_new:
                            yield change.value


@dataclass(frozen=True)
class Entry(Generic[T]):
    """An entry of a log."""

    number: int
    value: T


class LogFeed(Feed[T]):
    """A numbered log, followed from a position on, nothing missed and nothing twice."""

    page_size: int

    @abstractmethod
    async def position(self) -> int:
        """Where this subscriber begins: the number of the last entry it does not want."""

    @abstractmethod
    async def read(self, after: int) -> Sequence[Entry[T]]:
        """Up to `page_size` entries that follow `after`; none if there are none yet.

        Raises:
            Exception: The log does not reach from there.
        """

    @abstractmethod
    def pages(self, after: int) -> AsyncGenerator[Sequence[Entry[T]], None]:
        """All that follows `after`, as it comes; ends when the log is gone."""

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        """Every entry in order."""
        async with aclosing(self.pages(await self.position())) as pages:
            async for page in pages:
                for entry in page:
                    yield entry.value


def shared(feed: Feed[T]) -> AsyncIterator[T]:
    """The feed with the type that a subscription's resolver returns."""
    return cast("AsyncIterator[T]", feed)
