"""Frames on their way to one client."""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from starlette.types import Send

from graphql_api.websocket.protocol import CloseCode, close_reason

MAX_WAITING_CHARACTERS = 8 * 2**20
"""As much may wait for a client to read; beyond, the socket is closed."""

MAX_RESULTS_AT_ONCE = 8
"""Of so many queries on one socket the results are made, or wait to be read; the other queries wait."""

_CLOSE_SECONDS = 5.0


class SocketClosedError(Exception):
    """Raised when a frame is sent to a socket that is closed, by either side."""


class Outbox:
    """Sends frames in order, and holds back whoever sends more than the client reads.

    Args:
        send: The server's.
        on_stuck: Called when the client reads so little that it cannot be told of the end.
    """

    def __init__(self, send: Send, on_stuck: Callable[[], None]) -> None:
        self._send = send
        self._on_stuck: Callable[[], None] | None = on_stuck
        self._unfinished: asyncio.Task[None] | None = None
        self._waiting_characters = 0
        self.is_closed = False
        self.results = asyncio.Semaphore(MAX_RESULTS_AT_ONCE)
        """Held by whoever makes the result of a query, until the server has taken it."""

    def try_send(self, text: str) -> bool:
        """Send a frame if nothing waits before it; whether the server has taken it.

        No task has to be woken for it: the server's coroutine is run here up to where it would wait for the
        client. Where it does wait, a task runs the rest, and nothing more is taken until then.
        """
        if self._unfinished is not None or self._waiting_characters or self.is_closed:
            return False
        sending: Any = self._send({"type": "websocket.send", "text": text})
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return True
        except OSError:
            self.is_closed = True
            return False
        self._unfinished = asyncio.create_task(self._finish(sending, waits_for))
        return True

    async def send(self, text: str) -> None:
        """Send a frame; returns when the server has taken it.

        Raises:
            SocketClosedError: The socket is closed.
        """
        if self.try_send(text):
            return
        if self._waiting_characters + len(text) > MAX_WAITING_CHARACTERS:
            self.is_closed = True
            self._report_stuck()
        self._require_open()
        self._waiting_characters += len(text)
        try:
            while self._unfinished is not None:
                await asyncio.shield(self._unfinished)
            self._require_open()
            await self._send({"type": "websocket.send", "text": text})
        except OSError as error:
            self.is_closed = True
            raise SocketClosedError from error
        finally:
            self._waiting_characters -= len(text)

    async def close(self, code: CloseCode, reason: str) -> None:
        """Close the socket, unless it is closed already. A client that reads nothing is not waited for."""
        if self.is_closed:
            return
        self.is_closed = True
        message = {"type": "websocket.close", "code": int(code), "reason": close_reason(reason)}
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._send(message)
        except OSError:
            # The client has gone, or (TimeoutError is one, too) reads nothing.
            self._report_stuck()

    def end(self) -> None:
        """Send nothing more, and let go of whoever would be called."""
        self.is_closed = True
        self._on_stuck = None

    def _report_stuck(self) -> None:
        if self._on_stuck is not None:
            self._on_stuck()

    def _require_open(self) -> None:
        if self.is_closed:
            raise SocketClosedError

    async def _finish(self, sending: Coroutine[Any, Any, None], waits_for: object) -> None:
        try:
            await _rest_of(sending, waits_for)
        except OSError:
            self.is_closed = True
        finally:
            self._unfinished = None


@types.coroutine
def _rest_of(started: Coroutine[Any, Any, None], waits_for: object) -> Generator[Any, Any, None]:
    """What is left of a coroutine that has been run up to its first wait."""
    while True:
        step: Callable[[Any], Any] = started.send
        try:
            argument = yield waits_for
        except BaseException as error:
            step, argument = started.throw, error
        try:
            waits_for = step(argument)
        except StopIteration:
            return
