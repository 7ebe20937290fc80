"""The end of a subscription that a socket has in its hands."""

from typing import Protocol

SENT_PER_TURN = 200
"""To so many an event is sent before others have their turn; that takes a few milliseconds."""


class Subscriber(Protocol):
    """Gets the results of one subscription."""

    async def send_next(self, payload: str) -> None:
        """Send a result, given as JSON; returns when the client takes more."""

    def try_send_next(self, payload: str) -> bool:
        """Send a result at once if the client takes it at once; whether it did."""
