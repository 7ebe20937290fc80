"""uvicorn's HTTP protocol, with bounds on what a client may send, and on how long it may take."""

import asyncio
from collections import deque
from functools import partial
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from cli.api_server.connection_crowd import ConnectionCrowd
from cli.api_server.held_flow import HeldFlow

HEAD_SECONDS = 20.0
"""How long a client may take to send the head of a request, from its connection on."""

FLUSH_SECONDS = 30.0
"""How long the last answer on a connection may take to be read."""

STALL_SECONDS = 120.0
"""How long a client may read nothing of an answer that waits for it."""

MAX_HEAD_BYTES = 64 * 2**10
"""Most bytes of the head of a request: its URL and headers; more than any document in a URL takes."""

MAX_HEADERS = 128
"""Most headers, trailers included."""

MAX_PIPELINED = 32
"""Most requests that a client may send before it has got the answer to the first."""

_SLICE_BYTES = 2**16
_CHUNKED_SLICE_BYTES = 2**11
"""A chunk may be one byte long."""

_MANY_PIECES = 64
_TINY_CHUNKS_PAUSE_SECONDS = 0.005
"""Whoever sends chunks of so few bytes does it to keep us busy."""


class _RefusedError(Exception):
    """Raised in the parser; uvicorn answers 400 to whatever comes out of it."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Ends what uvicorn alone would put up with for ever.

    That is: heads that never end or never come, requests by the thousand in one packet, chunks of one byte by
    the ten thousand, and answers that nobody reads.
    """

    crowd: ClassVar[ConnectionCrowd] = ConnectionCrowd(10_000)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, if there is room."""
        self._slices: deque[memoryview] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        self._is_chunked = False
        self._piece_count = 0
        self._unnoticed_bytes = 0
        self._head_bytes = 0
        self._head_count = 0
        self._body_bytes_left = 0
        self._is_awaiting_head = self._is_upgrading = False
        if not self.crowd.has_room(len(self.connections)):
            self.transport = transport
            transport.abort()
            return
        super().connection_made(transport)
        self.flow = self._held_flow = HeldFlow(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._slices.clear()
        self._stop_waiting()
        self._stop_stall_timer()
        self._forget_requests()
        self.crowd.departures.take(partial(super().connection_lost, exc))

    def give_up(self) -> None:
        """End at once, for another."""
        self.transport.abort()

    # What comes in

    def data_received(self, data: bytes) -> None:
        """Take what came, a part at a time; others have their turn in between."""
        if self._is_upgrading:
            return
        if not self._slices and len(data) <= max(_SLICE_BYTES, self._body_bytes_left):
            self._take(data)
            return
        is_under_way = bool(self._slices)
        view = memoryview(data)
        self._slices.extend(view[start : start + _SLICE_BYTES] for start in range(0, len(view), _SLICE_BYTES))
        self._held_flow.hold()
        if not is_under_way:
            self._take_slice()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the protocol of WebSockets."""
        self._slices.clear()
        self._is_upgrading = True
        self.crowd.arrivals.take(self._upgrade)

    def _upgrade(self) -> None:
        if self.transport.is_closing():
            return
        self._held_flow.release()
        self._stop_waiting()
        super().handle_websocket_upgrade()
        # It refers to this object, which hears no more of the connection, not even of its end.
        self.parser = None  # type: ignore[assignment]

    def _take_slice(self) -> None:
        if not self._slices or self.transport.is_closing():
            self._slices.clear()
            return
        self._piece_count = 0
        self._take(cast("bytes", self._slices[0]))
        if self._slices:
            self._slices.popleft()
        if self._slices and self._piece_count > _MANY_PIECES:
            self.loop.call_later(_TINY_CHUNKS_PAUSE_SECONDS, self._take_slice)
        elif self._slices:
            self.loop.call_soon(self._take_slice)
        else:
            self._held_flow.release()

    def _take(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._unnoticed_bytes += len(data)
        super().data_received(data)
        if self._unnoticed_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    # What the parser says

    def on_message_begin(self) -> None:
        """A request begins."""
        self._is_chunked = False
        self._unnoticed_bytes = self._head_bytes = self._head_count = 0
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _RefusedError
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Its URL, or a part of it."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header or a trailer."""
        self._head_count += 1
        if self._head_count > MAX_HEADERS:
            raise _RefusedError
        self._count_head(len(name) + len(value))
        self._is_chunked |= name.lower() == b"transfer-encoding"
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Its head has come."""
        self._unnoticed_bytes = 0
        self._body_bytes_left = _plain_length(self.headers)
        super().on_headers_complete()
        self._stop_waiting()

    def on_body(self, body: bytes) -> None:
        """Some of its body."""
        self._unnoticed_bytes = 0
        self._piece_count += 1
        self._body_bytes_left = max(0, self._body_bytes_left - len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it has come."""
        self._unnoticed_bytes = 0
        super().on_message_complete()

    # What goes out

    def on_response_complete(self) -> None:
        """An answer is on its way: wait for the next request, or for this one's answer to be read."""
        is_last = not self.pipeline
        super().on_response_complete()
        if self.transport.is_closing():
            self._abort_after(FLUSH_SECONDS)
        elif is_last:
            self._await_head()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request."""
        self._forget_requests()
        super().send_400_response(msg)
        self._slices.clear()
        self._abort_after(FLUSH_SECONDS)

    def timeout_keep_alive_handler(self) -> None:
        """Let go of a client that asks nothing more."""
        self.crowd.departures.take(self._end_keep_alive)

    def _end_keep_alive(self) -> None:
        if self.timeout_keep_alive_task is not None:
            super().timeout_keep_alive_handler()
            self._abort_after(FLUSH_SECONDS)

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        super().pause_writing()
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._stop_stall_timer()

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        self.crowd.arrivals.take(partial(super()._start_asgi_task, cycle, app))

    def _forget_requests(self) -> None:
        """Let nobody answer any more; uvicorn tells only the last of several requests."""
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    # Patience

    def _count_head(self, size_bytes: int) -> None:
        self._unnoticed_bytes = 0
        self._head_bytes += size_bytes
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _RefusedError

    def _await_head(self) -> None:
        self._stop_waiting()
        self._is_awaiting_head = True
        self.crowd.wait(self)
        self._timer = self.loop.call_later(HEAD_SECONDS, self._time_out)

    def _stop_waiting(self) -> None:
        self._is_awaiting_head = False
        self.crowd.leave(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        self.crowd.departures.take(self._end_waiting)

    def _end_waiting(self) -> None:
        if not self._is_awaiting_head:
            return
        if not self.transport.is_closing():
            self.transport.close()
        self._abort_after(FLUSH_SECONDS)

    def _abort_after(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self.transport.abort)


def _plain_length(headers: list[tuple[bytes, bytes]]) -> int:
    """Bytes of a body that is not sent in chunks: however many come at once, they are one piece of work."""
    given = dict(headers)
    length = given.get(b"content-length", b"")
    return int(length) if length.isdigit() and b"transfer-encoding" not in given else 0


def bounded_http_protocol(crowd: ConnectionCrowd) -> type[BoundedHttpProtocol]:
    """The protocol for the connections of this crowd."""

    class _Protocol(BoundedHttpProtocol):
        pass

    _Protocol.crowd = crowd
    return _Protocol
