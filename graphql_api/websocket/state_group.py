"""Subscribers of the same states: each change is executed once, and whoever is slow gets the latest only."""

import asyncio
import time
from collections.abc import Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from graphql_api.live.feeds import Change, StateFeed, StateWatch, Update
from graphql_api.scheduling.turns import in_slices
from graphql_api.websocket.execution import Renderer
from graphql_api.websocket.subscriber import SENT_PER_TURN, Subscriber

_SHARED_SECONDS = 1.0
"""How long a result may be sent to others: what a state refers to is shown as it is when it is sent."""


class _Member:
    """One subscriber, and the results it has not been sent yet: only the latest of each thing."""

    def __init__(self, subscriber: Subscriber, ticket: int) -> None:
        self.subscriber = subscriber
        self.ticket = ticket
        """The number of its request for a look at the whole, with which it begins."""
        self.is_admitted = False
        self.has_ended = False
        self.error: Exception | None = None
        self._pending: dict[Hashable, str] = {}
        self._arrived = asyncio.Event()
        self._is_idle = False

    def put(self, key: Hashable, payload: str) -> None:
        """Send a result now if the client keeps up, else as soon as it does and none is newer."""
        if self._is_idle and not self._pending and self.subscriber.try_send_next(payload):
            return
        self._pending[key] = payload
        self._arrived.set()

    def end(self, error: Exception | None) -> None:
        """Nothing more comes."""
        self.has_ended, self.error = True, error
        self._arrived.set()

    async def send_all(self) -> None:
        """Send what comes until nothing more does."""
        while True:
            while self._pending:
                key = next(iter(self._pending))
                await self.subscriber.send_next(self._pending.pop(key))
            if self.has_ended:
                return
            self._is_idle = True
            self._arrived.clear()
            await self._arrived.wait()
            self._is_idle = False


class StateGroup:
    """Everybody who follows the same states with the same question.

    Args:
        feed: What they follow.
        renderer: Executes the changes.
        on_end: Called when the group takes nobody in any more.
    """

    def __init__(
        self, feed: StateFeed[Any], renderer: Renderer, on_end: "Callable[[StateGroup], None]"
    ) -> None:
        self._feed = feed
        self._renderer = renderer
        self._on_end = on_end
        self._members: set[_Member] = set()
        self._newcomers: set[_Member] = set()
        self._present: dict[Hashable, _State] = {}
        self._watch: StateWatch[Any] | None = None
        self._task: asyncio.Task[None] | None = None

    async def serve(self, subscriber: Subscriber) -> bool:
        """Send the present states, then the changes, until the end; False if the end was before.

        Raises:
            Exception: What ended the feed.
        """
        member = self._take_in(subscriber)
        try:
            await member.send_all()
        finally:
            self._members.discard(member)
            self._newcomers.discard(member)
            if not self._members and not self._newcomers:
                self._close()
        if member.error is not None:
            raise member.error
        return member.is_admitted

    def _take_in(self, subscriber: Subscriber) -> _Member:
        # What is known may be older than what this subscriber did before: the whole is looked at again.
        ticket = 0 if self._watch is None else self._watch.request_look()
        member = _Member(subscriber, ticket)
        self._newcomers.add(member)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return member

    def _close(self) -> None:
        self._on_end(self)
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        error: Exception | None = None
        try:
            with self._feed.watch() as self._watch:
                async with aclosing(self._watch.updates()) as updates:
                    async for update in updates:
                        await self._take(update)
        except Exception as caught:
            error = caught
        self._on_end(self)
        for member in (*self._members, *self._newcomers):
            member.end(error)

    async def _take(self, update: Update[Any]) -> None:
        for change in update.changes:
            state = self._present[change.key] = _State(change)
            if change.is_new:
                payload = await self._render(state)
                async for members in in_slices(self._members, SENT_PER_TURN):
                    for member in members:
                        member.put(change.key, payload)
        if update.served is not None:
            await self._admit([one for one in self._newcomers if one.ticket <= update.served])
        for change in update.changes:
            if change.is_final:
                del self._present[change.key]

    async def _admit(self, members: list[_Member]) -> None:
        if not members:
            return
        payloads = {key: await self._render(state) for key, state in self._present.items()}
        async for some in in_slices(members, SENT_PER_TURN):
            for member in self._newcomers.intersection(some):
                self._newcomers.discard(member)
                self._members.add(member)
                member.is_admitted = True
                for key, payload in payloads.items():
                    member.put(key, payload)

    async def _render(self, state: "_State") -> str:
        """The result for a state, executed anew if the last is not of this moment."""
        now = time.monotonic()
        if state.payload is None or state.rendered_at < now - _SHARED_SECONDS:
            state.payload, state.rendered_at = await self._renderer.render(state.change.value), now
        return state.payload


@dataclass(eq=False)
class _State:
    """The present state of one thing, and the result for it."""

    change: Change[Any]
    payload: str | None = None
    rendered_at: float = 0.0
