"""uvicorn's HTTP protocol, with bounds on what a client may send, and on how long it may take."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NoReturn, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from cli.api_server.connection_crowd import ConnectionCrowd
from cli.api_server.held_flow import HeldFlow
from cli.api_server.ignored_upgrade import can_be_handshake, head_without_offer, parser_for
from cli.api_server.paced_work import PacedWork
from cli.api_server.refusals import refusal_answer
from graphql_api.scheduling.turns import Turns

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

MAX_HEADERS_BYTES = 16 * 2**10
"""Most bytes of them. Those that are lists, as cookies are, are taken apart again with each request."""

MAX_URL_PARAMETERS = 128
"""Most parameters in a URL."""

_LONG_HEAD_BYTES = 2**13

MAX_PIPELINED = 32
"""Most requests that a client may send before it has got the answer to the first."""

MAX_TINY_CHUNKS = 2**18
"""Most chunks of a body that are `_TINY_BYTES` long on average: as many as a GraphQL request has bytes."""

_TINY_BYTES = 16
_PART_BYTES = 2**11
_MOST_PART_BYTES = 2**14
"""The parser is given so much at once of what may come in chunks of one byte: less than it has to get, and
more as long as the chunks are longer."""

_MANY_PIECES = 256
"""Pieces of bodies that are taken in one go: they take half a millisecond."""


class _RefusedError(Exception):
    """Raised in the parser, to stop it."""


_MALFORMED = (400, "Invalid HTTP request received.")


class BoundedHttpProtocol(HttpToolsProtocol):
    """Ends what uvicorn alone would put up with for ever.

    That is: heads that never end or never come, requests by the thousand in one packet, chunks of one byte by
    the ten thousand, and answers that nobody reads.
    """

    crowd: ClassVar[ConnectionCrowd] = ConnectionCrowd(10_000)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, if there is room."""
        self._unread: deque[memoryview] = deque()
        self._part_bytes = _PART_BYTES
        self._has_tiny_chunks = False
        self._timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        self._unbegun: Callable[[], None] | None = None
        self._begins_with: Turns | None = None
        self._is_parsing = self._is_repeating_head = False
        self._refusal = _MALFORMED
        self._is_chunked = False
        self._piece_count = self._chunk_count = 0
        self._chunked_bytes = 0
        self._unnoticed_bytes = 0
        self._head_bytes = self._headers_bytes = 0
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
        self._unread.clear()
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
        if self._unread:
            self._unread.append(memoryview(data))
        elif not self._is_chunked and len(data) <= max(_PART_BYTES, self._body_bytes_left):
            self._take(data)
        else:
            self._unread.append(memoryview(data))
            if self._is_chunked:
                self._chunk_pace.take(self._take_some)
            else:
                self._take_some()
            if self._unread:
                self._held_flow.hold()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the protocol of WebSockets."""
        self._unread.clear()
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

    @property
    def _chunk_pace(self) -> PacedWork:
        return self.crowd.tiny_chunks if self._has_tiny_chunks else self.crowd.chunks

    def _take_some(self) -> None:
        """Take what waits, up to many pieces, or to where chunks begin or end."""
        self._piece_count, was_chunked = 0, self._is_chunked
        while self._unread and self._piece_count < _MANY_PIECES and not self.transport.is_closing():
            self._take_part()
            if self._is_chunked != was_chunked:
                break
        self._has_tiny_chunks = self._piece_count >= _MANY_PIECES
        if self.transport.is_closing():
            self._unread.clear()
        elif self._unread:
            self._chunk_pace.put_off(self._take_some)
        else:
            self._held_flow.release()

    def _take_part(self) -> None:
        pieces_before = self._piece_count
        size_bytes = self._body_bytes_left or self._part_bytes
        unread = self._unread.popleft()
        if len(unread) > size_bytes:
            self._unread.appendleft(unread[size_bytes:])
        self._take(cast("bytes", unread[:size_bytes]))
        has_many_pieces = (self._piece_count - pieces_before) * _MANY_PIECES > self._part_bytes
        self._part_bytes = _PART_BYTES if has_many_pieces else min(2 * self._part_bytes, _MOST_PART_BYTES)

    def _take(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._unnoticed_bytes += len(data)
        self._is_parsing = True
        self._parse(data)
        self._is_parsing = False
        self._begin_in_turn()
        if self.transport.is_closing():
            return
        if self._unnoticed_bytes > MAX_HEAD_BYTES:
            self._answer_refusal(*_too_long_head())
        elif self._chunk_count > MAX_TINY_CHUNKS and self._chunked_bytes < _TINY_BYTES * self._chunk_count:
            self._refuse_chunks()

    def _parse(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            rest = self._parse_to_upgrade(memoryview(data))
            while rest:
                rest = self._parse_to_upgrade(rest)
        except httptools.HttpParserError:
            self._answer_refusal(*self._refusal)

    def _parse_to_upgrade(self, data: memoryview) -> memoryview | None:
        """Parse to where another protocol may begin; what follows if none does."""
        try:
            self.parser.feed_data(cast("bytes", data))
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
                return None
            self._ignore_upgrade()
            return data[upgrade.args[0] :]
        return None

    def _ignore_upgrade(self) -> None:
        head = head_without_offer(self.scope["method"], self.scope["http_version"], self.headers)
        self.parser = parser_for(self)
        self._is_repeating_head = True
        self.parser.feed_data(head)
        self._is_repeating_head = False

    def _should_upgrade(self) -> bool:
        return super()._should_upgrade() and can_be_handshake(self.scope["method"], self.headers)

    def _refuse_chunks(self) -> None:
        if self.cycle.response_started:
            self._unread.clear()
            self.transport.close()
            self._abort_after(FLUSH_SECONDS)
        else:
            self.send_400_response(f"The body comes in more than {MAX_TINY_CHUNKS} chunks of a few bytes.")

    # What the parser says

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._is_repeating_head:
            return
        self._is_chunked = False
        self._chunk_count = self._chunked_bytes = 0
        self._unnoticed_bytes = self._head_bytes = self._headers_bytes = self._head_count = 0
        if len(self.pipeline) >= MAX_PIPELINED:
            self._refuse(400, f"More than {MAX_PIPELINED} requests wait for their answers.")
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Its URL, or a part of it."""
        if self._is_repeating_head:
            return
        if len(self.url) + len(url) > MAX_HEAD_BYTES:
            self._refuse(414, f"The URL has more than {MAX_HEAD_BYTES} bytes.")
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header or a trailer."""
        if self._is_repeating_head:
            return
        self._head_count += 1
        self._headers_bytes += len(name) + len(value)
        if self._head_count > MAX_HEADERS:
            self._refuse(431, f"The request has more than {MAX_HEADERS} headers.")
        if self._headers_bytes > MAX_HEADERS_BYTES:
            self._refuse(431, f"The headers of the request have more than {MAX_HEADERS_BYTES} bytes.")
        self._count_head(len(name) + len(value))
        self._is_chunked |= name.lower() == b"transfer-encoding"
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Its head has come."""
        if self._is_repeating_head:
            return
        self._unnoticed_bytes = 0
        if self.parser.get_method() == b"CONNECT":
            self._refuse(400, "This server is no proxy.")
        if self.url.count(b"&") >= MAX_URL_PARAMETERS:
            self._refuse(414, f"The URL has more than {MAX_URL_PARAMETERS} parameters.")
        self._body_bytes_left = _plain_length(self.headers)
        super().on_headers_complete()
        self._stop_waiting()

    def on_body(self, body: bytes) -> None:
        """Some of its body."""
        self._unnoticed_bytes = 0
        self._piece_count += 1
        if self._is_chunked:
            self._chunk_count += 1
            self._chunked_bytes += len(body)
        else:
            self._body_bytes_left = max(0, self._body_bytes_left - len(body))
        if len(body) > HIGH_WATER_LIMIT and not self.cycle.body:
            # Bytes behind no bytes are themselves; uvicorn's bytearray would copy a large piece twice.
            self.cycle.body = b""  # type: ignore[assignment]
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it has come, or its head, if it offers another protocol: see `_parse_to_upgrade`."""
        if self.parser.should_upgrade():
            return
        self._unnoticed_bytes = 0
        self._is_chunked = self._has_tiny_chunks = False
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
        self._answer_refusal(400, msg)

    def _refuse(self, status: int, message: str) -> NoReturn:
        self._refusal = (status, message)
        raise _RefusedError

    def _answer_refusal(self, status: int, message: str) -> None:
        self.crowd.refusals.tell(message)
        self._forget_requests()
        self.transport.write(refusal_answer(status, message, self.server_state.default_headers))
        self.transport.close()
        self._unread.clear()
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
        self._unbegun = partial(super()._start_asgi_task, cycle, app)
        self._begins_with = None
        if not self._is_parsing:
            self._begin_in_turn()

    def _begin_in_turn(self) -> None:
        """Have the request begin after those that came before, and before those whose body is still to come.

        Otherwise a crowd of clients that never send what they promise would keep everybody waiting, as would
        one with long heads, which take some milliseconds each.
        """
        if self._unbegun is None or self._running is None:
            return
        is_late = self._running.more_body or self._head_bytes > _LONG_HEAD_BYTES
        turns = self.crowd.late_arrivals if is_late else self.crowd.arrivals
        if self._begins_with is not turns:
            self._begins_with = turns
            turns.take(self._begin)

    def _begin(self) -> None:
        begin, self._unbegun = self._unbegun, None
        if begin is not None:
            begin()

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
            self._refuse(*_too_long_head())

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


def _too_long_head() -> tuple[int, str]:
    return 431, f"The head of the request has more than {MAX_HEAD_BYTES} bytes."


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
