"""New events to subscriptions: one look at the database a process tells all of them whether to read."""

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import UUID

from domain.errors import NotSignedInError
from domain.events import Event, event_span, newest_numbers, read_events
from domain.outages import through_outages
from domain.sql import in_batches
from graphql_api.live.feeds import Entry, LogFeed

T = TypeVar("T")

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
PAGE_SIZE = 100

_OWNERS_A_STATEMENT = 10_000
_PAUSE_AFTER_FAULT_SECONDS = 5.0


@dataclass(eq=False)
class _Log:
    """What is known of the log of one account that somebody here follows."""

    followers: int = 0
    newest: int | None = None
    is_gone: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the next change; each change has its own."""

    def note(self, newest: int | None) -> None:
        """Take the number of the newest event, None if the account is gone."""
        if newest is not None and newest == self.newest:
            return
        self.newest, self.is_gone = newest, newest is None
        self.changed.set()
        self.changed = asyncio.Event()


class EventHub:
    """Lets the subscriptions of this process follow the event logs of accounts.

    It asks the database alone, and only while somebody follows, so it needs no message to arrive. A database
    that is away for a while ends nothing. Nothing is buffered: who reads slowly reads later.

    Args:
        poll_seconds: Time between two looks at the database: how late an event is at most.
    """

    def __init__(self, poll_seconds: float = POLL_SECONDS) -> None:
        self._poll_seconds = poll_seconds
        self._logs: dict[UUID, _Log] = {}
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def follow(self, owner_id: UUID, after: int | None) -> AsyncGenerator[Event, None]:
        """Every event of an account with a number above `after`, in order, until the account is deleted.

        Without `after`: what happens from now on.

        Raises:
            EventsUnavailableError: As `read_events`, at once or after having been too slow.
        """
        return EventFeed(self, owner_id, after, _itself).__aiter__()

    async def pages(self, owner_id: UUID, after: int) -> AsyncGenerator[Sequence[Event], None]:
        """As `follow`, in pages as they are read."""
        position = after
        with self._watch(owner_id) as known:
            while not known.is_gone:
                changed = known.changed
                events = await read_page(owner_id, position)
                if events:
                    yield events
                    position = events[-1].number
                if len(events) < PAGE_SIZE:
                    await changed.wait()
                    while known.newest == position:
                        await known.changed.wait()

    @contextlib.contextmanager
    def _watch(self, owner_id: UUID) -> Iterator[_Log]:
        known = self._logs.setdefault(owner_id, _Log())
        known.followers += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll_while_followed())
        try:
            yield known
        finally:
            known.followers -= 1
            if not known.followers:
                del self._logs[owner_id]

    async def _poll_while_followed(self) -> None:
        while self._logs:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self._poll()
            except Exception:
                log.exception("new events cannot be looked for; trying again")
                await asyncio.sleep(_PAUSE_AFTER_FAULT_SECONDS)

    async def _poll(self) -> None:
        for asked in in_batches(self._logs, _OWNERS_A_STATEMENT):
            numbers = await through_outages(
                partial(newest_numbers, asked), patience_seconds=math.inf, what="the event log"
            )
            for owner_id in asked:
                if owner_id in self._logs:
                    self._logs[owner_id].note(numbers.get(owner_id))


class EventFeed(LogFeed[T]):
    """The event log of an account.

    Args:
        hub: Where news comes from.
        owner_id: Whose log.
        after: The number after which this subscriber begins; None for what happens from now on.
        convert: Makes what subscribers get from an event.
    """

    page_size = PAGE_SIZE

    def __init__(
        self, hub: EventHub, owner_id: UUID, after: int | None, convert: Callable[[Event], T]
    ) -> None:
        self.key = ("events", owner_id)
        self._hub = hub
        self._owner_id = owner_id
        self._after = after
        self._convert = convert

    async def position(self) -> int:
        """The number of the last event this subscriber does not want."""
        return await newest_number(self._owner_id) if self._after is None else self._after

    async def read(self, after: int) -> Sequence[Entry[T]]:
        """A page of events."""
        return self._entries(await read_page(self._owner_id, after))

    async def pages(self, after: int) -> AsyncGenerator[Sequence[Entry[T]], None]:
        """Pages of events as they come.

        Raises:
            NotSignedInError: The account is gone.
        """
        async with contextlib.aclosing(self._hub.pages(self._owner_id, after)) as pages:
            async for events in pages:
                yield self._entries(events)
        raise NotSignedInError("The session has ended.")

    def _entries(self, events: Sequence[Event]) -> Sequence[Entry[T]]:
        return [Entry(event.number, self._convert(event)) for event in events]


def _itself(event: Event) -> Event:
    return event


async def read_page(owner_id: UUID, after: int) -> Sequence[Event]:
    """Up to `PAGE_SIZE` events, as `read_events`; a database that is away is waited for."""
    read = partial(read_events, owner_id, after, PAGE_SIZE)
    return await through_outages(read, patience_seconds=math.inf, what="a subscription of events")


async def newest_number(owner_id: UUID) -> int:
    """The number of the newest event; a database that is away is waited for."""
    read = partial(event_span, owner_id)
    span = await through_outages(read, patience_seconds=math.inf, what="a subscription of events")
    return 0 if span is None else span.newest
