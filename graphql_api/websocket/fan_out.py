"""One event, many watchers: each is executed and encoded once for all who subscribed alike."""

from collections.abc import Hashable
from functools import partial
from typing import Any, TypeVar

from graphql_api.live.feeds import Feed, LogFeed, StateFeed
from graphql_api.websocket.execution import Renderer
from graphql_api.websocket.log_group import LogGroup
from graphql_api.websocket.state_group import StateGroup
from graphql_api.websocket.subscriber import Subscriber

G = TypeVar("G")


class FanOut:
    """The groups of subscribers that get the same results."""

    def __init__(self) -> None:
        self._states: dict[Hashable, StateGroup] = {}
        self._logs: dict[Hashable, LogGroup] = {}

    def __len__(self) -> int:
        return len(self._states) + len(self._logs)

    async def serve(self, subscriber: Subscriber, feed: Feed[Any], key: Hashable, renderer: Renderer) -> None:
        """Send a feed to a subscriber until it ends.

        Args:
            subscriber: Who gets it.
            feed: What it asked for.
            key: What it has in common with those who get the same results.
            renderer: Executes the events, if it is the first of them.

        Raises:
            Exception: What ended the feed.
        """
        if isinstance(feed, LogFeed):
            log_group = self._logs.get(key)
            if log_group is None:
                log_group = self._logs[key] = LogGroup(feed, renderer, partial(_forget, self._logs, key))
            await log_group.serve(subscriber, feed)
            return
        if not isinstance(feed, StateFeed):
            raise TypeError(f"{type(feed).__name__} is no feed that can be shared")
        is_served = False
        while not is_served:
            state_group = self._states.get(key)
            if state_group is None:
                state_group = StateGroup(feed, renderer, partial(_forget, self._states, key))
                self._states[key] = state_group
            is_served = await state_group.serve(subscriber)


def _forget(groups: dict[Hashable, G], key: Hashable, group: G) -> None:
    """Let go of a group that has ended, unless another has taken its place."""
    if groups.get(key) is group:
        del groups[key]
