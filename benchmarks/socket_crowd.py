"""Many WebSockets that only listen, cheap enough to leave the processor to the server that is measured."""

import json
import os
import re
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_MOMENT = re.compile(rb'"errorMessage":"(\d+)"')
_PATIENCE_SECONDS = 60.0
_CHUNK_BYTES = 65536
_QUERY = """subscription Progress($id: ID!) { analysisProgress(id: $id) {
  status progress framesDone framesTotal etaSeconds framesPerSecond errorMessage
  counts { label detections tracks } } }"""


@dataclass
class Delivery:
    """What a crowd has received of some events."""

    seconds: float
    frames: int
    bytes: int
    latencies: list[float] = field(default_factory=list)
    """From the event to its arrival, in seconds, of each frame."""


class _Listener:
    """One socket; the server's frames are not masked and come whole, so they are easy to count."""

    def __init__(self, port: int, path: str, subprotocol: str | None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        wanted = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"{wanted}\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(_CHUNK_BYTES)
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise RuntimeError(head.decode(errors="replace"))
        self._rest = head.partition(b"\r\n\r\n")[2]

    def send(self, text: str | bytes, opcode: int = 1) -> None:
        """Send a frame."""
        payload = text.encode() if isinstance(text, str) else text
        size = (
            bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack("!H", len(payload))
        )
        # A mask of zeros is one, too.
        self.socket.sendall(bytes([0x80 | opcode]) + size + bytes(4) + payload)

    def receive(self) -> list[bytes]:
        """The text frames that are there; pings are answered."""
        data = self._rest + self.socket.recv(_CHUNK_BYTES)
        frames, position = [], 0
        while len(data) - position >= 2:
            length, start = data[position + 1], position + 2
            if length == 126:
                if len(data) - position < 4:
                    break
                length, start = struct.unpack_from("!H", data, position + 2)[0], position + 4
            if len(data) < start + length:
                break
            payload, opcode = data[start : start + length], data[position] & 15
            position = start + length
            if opcode == 9:
                self.send(payload, 10)
            elif opcode == 1:
                frames.append(payload)
            else:
                raise RuntimeError(f"the server ended a socket: {payload!r}")
        self._rest = data[position:]
        return frames


class Crowd:
    """Sockets that have subscribed to the same progress, and one that makes events.

    Args:
        port: Of the server.
        size: How many subscribe.
        token: Signs them in, if the server wants that.
        analysis_id: What they subscribe to.
    """

    def __init__(self, port: int, size: int, token: str, analysis_id: str) -> None:
        self._port = port
        self._size = size
        self._init = json.dumps(
            {"type": "connection_init", "payload": {"token": token}} if token else {"type": "connection_init"}
        )
        payload = {"query": _QUERY, "variables": {"id": analysis_id}}
        self._subscribe = json.dumps({"type": "subscribe", "id": "1", "payload": payload})
        self._epoll = select.epoll()
        self._listeners: dict[int, _Listener] = {}

    def __enter__(self) -> Self:
        self._emitter = _Listener(self._port, "/emit", None)
        for _ in range(self._size):
            listener = _Listener(self._port, "/graphql", "graphql-transport-ws")
            self._listeners[listener.socket.fileno()] = listener
            self._epoll.register(listener.socket.fileno(), select.EPOLLIN)
        for message in (self._init, self._subscribe):
            for listener in self._listeners.values():
                listener.send(message)
            self._collect(self._size)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for listener in (*self._listeners.values(), self._emitter):
            listener.socket.close()
        self._epoll.close()

    def events(self, count: int) -> Delivery:
        """Have this many events made, each when all have got the last."""
        began = time.monotonic()
        delivery = Delivery(0.0, 0, 0)
        for _ in range(count):
            self._emitter.send("1")
            one = self._collect(self._size)
            delivery.frames += one.frames
            delivery.bytes += one.bytes
            delivery.latencies += one.latencies
        delivery.seconds = time.monotonic() - began
        return delivery

    def _collect(self, count: int) -> Delivery:
        arrived: list[tuple[int, list[bytes]]] = []
        received, deadline = 0, time.monotonic() + _PATIENCE_SECONDS
        while received < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{count - received} of {count} frames did not come")
            for number, _event in self._epoll.poll(1.0):
                frames = self._listeners[number].receive()
                received += len(frames)
                arrived.append((time.monotonic_ns(), frames))
        delivery = Delivery(0.0, received, 0)
        for moment, frames in arrived:
            for frame in frames:
                delivery.bytes += len(frame)
                if (match := _MOMENT.search(frame)) is not None:
                    delivery.latencies.append((moment - int(match[1])) / 1e9)
        return delivery


def has_room_for(sockets: int) -> bool:
    """Whether this process may open so many files."""
    return sockets + 100 < os.sysconf("SC_OPEN_MAX")
