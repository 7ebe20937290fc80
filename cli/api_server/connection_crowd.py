"""How many connections there are, and which of them may go first."""

import resource
from typing import Protocol

from cli.api_server.paced_work import PacedWork
from cli.api_server.refusals import RareWarnings
from graphql_api.scheduling.turns import Turns

_RESERVED_DESCRIPTORS = 128
"""For files, the database, Valkey and what else is not a client."""

_MOST_DESCRIPTORS = 65_536
"""More is not asked for: tables of a size that the kernel has to make grow with it."""

_MOST_PER_TURN = 10
"""A request or a handshake takes a few hundred microseconds until it has to wait for something."""

_MOST_LATE_PER_TURN = 2
_CHUNKS_SHARE = 0.5
_TINY_CHUNKS_SHARE = 0.2
_SAVED_SECONDS = 0.003


class Waiting(Protocol):
    """A connection that nothing depends on yet."""

    def give_up(self) -> None:
        """End at once."""


class ConnectionCrowd:
    """The connections of this process, fewer than it has descriptors.

    Without a bound, a crowd of silent connections takes the last descriptor, and then no file can be opened
    and nobody else let in. Here the one that has waited longest without asking for anything makes room.

    Args:
        max_connections: Most connections at once.
    """

    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        self._waiting: dict[Waiting, None] = {}
        """In the order in which they began to wait."""
        self.arrivals = Turns(_MOST_PER_TURN)
        """Requests and handshakes that begin."""
        self.late_arrivals = Turns(_MOST_LATE_PER_TURN)
        """Requests that others go before: their body is still on its way, or their head is long."""
        self.chunks = PacedWork(_CHUNKS_SHARE, _SAVED_SECONDS)
        """Bodies in chunks, of whatever length."""
        self.tiny_chunks = PacedWork(_TINY_CHUNKS_SHARE, _SAVED_SECONDS)
        """Those of a client whose chunks have turned out to be tiny: it must not get in the others' way."""
        self.messages = Turns(_MOST_PER_TURN)
        """What comes over WebSockets."""
        self.departures = Turns(_MOST_PER_TURN)
        """Connections that end."""
        self.refusals = RareWarnings()
        """What the log says of requests that are not let in."""

    def has_room(self, connection_count: int) -> bool:
        """Whether one more may come to so many; one that waits is ended for it if need be."""
        if connection_count < self._max_connections:
            return True
        if not self._waiting:
            return False
        longest = next(iter(self._waiting))
        self.leave(longest)
        longest.give_up()
        return True

    def wait(self, connection: Waiting) -> None:
        """A connection that may be ended from now on."""
        self._waiting[connection] = None

    def leave(self, connection: Waiting) -> None:
        """It may not be ended any more, or has ended."""
        self._waiting.pop(connection, None)


def most_connections() -> int:
    """How many connections this process can have; its limit of descriptors is raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft == resource.RLIM_INFINITY:
        soft = _MOST_DESCRIPTORS
    return max(soft - _RESERVED_DESCRIPTORS, soft // 2)
