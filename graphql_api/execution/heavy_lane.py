"""Where costly queries wait for each other, so that the others need not wait for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import ClientDisconnect, HTTPConnection, Request

from graphql_api.http.client_address import client_address
from graphql_api.scheduling.fair_gate import FairGate
from graphql_api.scheduling.pieces import UNDER_WAY, Pieces
from graphql_api.scheduling.slices import Slices

HEAVY_COST = 2_000
"""From this cost on a query is heavy: more than a full page of 100 objects with 17 fields each."""

_AT_ONCE = 2
"""While one waits for the database, another may go on."""

_HOLD_SECONDS = 5.0


class HeavyLane:
    """The way of heavy queries through the process: a few at once, and in slices.

    Mutations and subscriptions do not take it: what begins must not wait for strangers half way.

    Attributes:
        slices: Of each turn of the event loop, for the pieces of all heavy queries together.
    """

    def __init__(self) -> None:
        self.slices = Slices()
        self._gate = FairGate(_AT_ONCE, _HOLD_SECONDS)

    def __len__(self) -> int:
        """How many queries wait."""
        return len(self._gate)

    @asynccontextmanager
    async def place(self, context: Any) -> AsyncIterator[Pieces]:
        """Execute a heavy query in the block, in these pieces.

        Raises:
            ClientDisconnect: The client has gone while the query waited.
        """
        async with self._gate.place(caller_of(context)) as has_waited:
            request = getattr(context, "request", None)
            if has_waited and isinstance(request, Request) and await request.is_disconnected():
                raise ClientDisconnect
            await self.slices.next()
            pieces = Pieces(self.slices)
            token = UNDER_WAY.set(pieces)
            try:
                yield pieces
            finally:
                UNDER_WAY.reset(token)
                pieces.end()


def caller_of(context: Any) -> str:
    """Who takes turns with others: everybody at one address."""
    request = getattr(context, "request", None)
    return client_address(request) if isinstance(request, HTTPConnection) else ""
