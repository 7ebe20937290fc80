"""uvicorn's WebSocket protocol, with ends that do not depend on a client's good will."""

import asyncio
import random
from collections import deque
from functools import partial
from typing import Any, ClassVar, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from cli.api_server.connection_crowd import ConnectionCrowd
from graphql_api.websocket.services import SIGNED_IN_EXTENSION

PING_INTERVAL_SECONDS = 4.0
PING_TIMEOUT_SECONDS = 4.0
"""A client that answers no ping for so long has gone. All in all that takes less than ten seconds."""

_SHORTEST_INTERVAL = 0.75
"""Of the time between pings."""

_LAST_SECONDS = 1.0
_CLOSING_SECONDS = 11.0
_SLICE_BYTES = 4096
_MAX_FRAGMENTS = 1_000
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """Ends a connection by force where its client stands in the way of an orderly end.

    uvicorn waits for what it has sent to be read before it lets go of a connection. A client that has
    vanished, or reads nothing on purpose, would keep it, and all that belongs to it, as long as it likes.
    Such a client could also make it store pongs and fragments without end, and have it read thousands of
    frames in one go. While nobody is signed in on it, a connection may be ended for another one.
    """

    crowd: ClassVar[ConnectionCrowd] = ConnectionCrowd(10_000)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._slices: deque[bytes] = deque()
        self._abortion: asyncio.TimerHandle | None = None
        self._is_deaf = False
        if self.ping_interval is not None:
            # Sockets that were opened together are not asked together for ever.
            self.ping_interval *= random.uniform(_SHORTEST_INTERVAL, 1.0)  # noqa: S311
        super().connection_made(transport)
        self.crowd.wait(self)

    def data_received(self, data: bytes) -> None:
        """Take what came, a little at a time; others have their turn in between."""
        if self._is_deaf:
            return
        if not self.handshake_initiated:
            self._shake_hands(data)
            return
        if not self._slices and len(data) <= _SLICE_BYTES and self.crowd.messages.enter():
            super().data_received(data)
            return
        is_under_way = bool(self._slices)
        self._slices.extend(data[start : start + _SLICE_BYTES] for start in range(0, len(data), _SLICE_BYTES))
        if not self.transport.is_closing():
            self.transport.pause_reading()
        if not is_under_way:
            self.crowd.messages.take(self._take_slice)

    def give_up(self) -> None:
        """End at once, for another."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._slices.clear()
        self.crowd.leave(self)
        if hasattr(self, "scope"):
            cast("Any", self.scope["extensions"]).pop(SIGNED_IN_EXTENSION, None)  # it refers to this object
        if self._abortion is not None:
            self._abortion.cancel()
        self.stop_keepalive()
        self.disconnected = True
        self.crowd.departures.take(partial(self._end, exc))

    def handle_connect(self, event: Request) -> None:
        """Begin to serve; the application says when somebody has signed in."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[str, Any] = cast("Any", self.scope["extensions"])
            extensions[SIGNED_IN_EXTENSION] = partial(self.crowd.leave, self)

    def handle_cont(self, event: Frame) -> None:
        """Take a part of a message, of which there may not be any number: empty ones make it no longer."""
        if len(self.frames) >= _MAX_FRAGMENTS and not self.close_sent:
            self._refuse(1009, "Too many fragments")
        elif not self.close_sent:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Hand a whole message on, if it is text where it says so."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self._refuse(1007, "Text is UTF-8")
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping, unless the client reads no answers."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    async def send(self, message: ASGISendEvent) -> None:
        """Send what the application has to say, which cannot know that the connection was ended here."""
        if self.close_sent:
            raise ClientDisconnected
        await super().send(message)

    def handle_parser_exception(self) -> None:
        """Tell a client that breaks the protocol why it is let go, and let it finish what it is saying.

        A connection that is closed while there is something to read on it is reset, and then the client never
        gets to the reason.
        """
        if self.conn.close_sent is None:
            self.transport.close()
            return
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._is_deaf = self.close_sent = True
        self._slices.clear()
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.resume_reading()
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(_LAST_SECONDS, self.transport.close)

    def keepalive_timeout(self) -> None:
        """Let go of a client that does not answer."""
        super().keepalive_timeout()
        self._abort_after(_LAST_SECONDS)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Let go of the client when the application has."""
        super().on_task_complete(task)
        self._abort_after(_CLOSING_SECONDS)

    def _end(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for fault in (self.conn.parser_exc, self.conn.handshake_exc):
            # The frames of its traceback refer to the connection that keeps it.
            error: BaseException | None = fault
            while error is not None:
                error = error.with_traceback(None).__context__

    def _take_slice(self) -> None:
        if not self._slices or self.transport.is_closing():
            self._slices.clear()
            return
        super().data_received(self._slices.popleft())
        if self._slices:
            self.crowd.messages.put_off(self._take_slice)
        elif (self._is_deaf or not self.read_paused) and not self.transport.is_closing():
            self.transport.resume_reading()

    def _shake_hands(self, head: bytes) -> None:
        """Take the head of the request, which comes in one piece."""
        super().data_received(head)
        if not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(_BAD_REQUEST)
            self.transport.close()

    def _refuse(self, code: int, reason: str) -> None:
        self.frames = []
        self.conn.send_close(code, reason)
        self.handle_parser_exception()
        self._abort_after(_CLOSING_SECONDS)

    def _abort_after(self, seconds: float) -> None:
        if not self.disconnected:
            if self._abortion is not None:
                self._abortion.cancel()
            self._abortion = self.loop.call_later(seconds, cast("Any", self.transport).abort)


def bounded_websocket_protocol(crowd: ConnectionCrowd) -> type[BoundedWebSocketProtocol]:
    """The protocol for the connections of this crowd."""

    class _Protocol(BoundedWebSocketProtocol):
        pass

    _Protocol.crowd = crowd
    return _Protocol
