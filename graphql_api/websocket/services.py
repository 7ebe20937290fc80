"""What all sockets of an endpoint have in common."""

import asyncio
from dataclasses import dataclass, field

from graphql_api.execution.schema import ApiSchema
from graphql_api.scheduling.turns import Turns
from graphql_api.websocket.fan_out import FanOut
from graphql_api.websocket.limits import Places
from graphql_api.websocket.session_watch import SessionWatch

_OPENINGS_AT_ONCE = 8
_TIMEOUTS_PER_TURN = 10

SIGNED_IN_EXTENSION = "framewise.signed_in"
"""Of the ASGI scope of a socket: is called when somebody has signed in there, and the socket has to stay."""


@dataclass(frozen=True)
class SocketServices:
    """Shared by the sockets of one endpoint."""

    schema: ApiSchema
    session_watch: SessionWatch
    connection_init_seconds: float
    """How long a socket may stay silent before `connection_init`."""
    fan_out: FanOut = field(default_factory=FanOut)
    sockets: Places = field(default_factory=lambda: Places("max_sockets_per_user", "sockets"))
    subscriptions: Places = field(
        default_factory=lambda: Places("max_subscriptions_per_user", "subscriptions")
    )
    openings: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_OPENINGS_AT_ONCE))
    """To open a subscription takes a millisecond: a hundred at the same moment would keep others waiting."""
    timeouts: Turns = field(default_factory=lambda: Turns(_TIMEOUTS_PER_TURN))
    """Sockets that have been silent for too long."""
