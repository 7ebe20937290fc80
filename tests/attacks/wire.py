"""A client that sends any bytes at all."""

import asyncio
import base64
import json
import os
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.attacks.target import Target
from tests.cli.processes import PATIENCE_SECONDS

GONE = (ConnectionError, asyncio.IncompleteReadError, TimeoutError)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def request(self, data: bytes) -> Answer:
        """Send a whole request and read its answer."""
        await self.send(data)
        return await self.answer(b"HEAD" if data.startswith(b"HEAD ") else b"GET")

    async def answer(self, method: bytes = b"GET") -> Answer:
        """Read an answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        headers = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if status == 100:
            return await self.answer(method)
        return Answer(status, headers, b"" if method == b"HEAD" else await self._body(status, headers))

    async def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status in (204, 304) or status < 200:
            return b""
        if "chunked" not in headers.get("transfer-encoding", ""):
            return await self.reader.readexactly(int(headers.get("content-length", "0")))
        parts = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            parts.append(await self.reader.readexactly(size))
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return b"".join(parts)

    async def closed(self) -> bool:
        """Whether the server closes the connection, whatever it still says before."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await self.reader.read(2**16):
                    pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True

    def drop(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Wire]:
    """A new connection."""
    wire = Wire(*await asyncio.open_connection(target.host, target.port, limit=2**22))
    try:
        yield wire
    finally:
        wire.drop()


def head(method: str, path: str, *headers: str) -> bytes:
    """The head of a request, with its empty line."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode("latin-1")


def post(target: Target, body: bytes, *headers: str, path: str = "/graphql") -> bytes:
    """A POST request of the bystander's account; JSON unless the headers say otherwise."""
    if not any(header.lower().startswith("content-type:") for header in headers):
        headers = ("Content-Type: application/json", *headers)
    given = (f"Authorization: Bearer {target.token}", f"Content-Length: {len(body)}", *headers)
    return head("POST", path, *given) + body


async def one_answer(
    target: Target, data: bytes, *, patience_seconds: float = PATIENCE_SECONDS
) -> Answer | None:
    """The answer to these bytes on a connection of their own; None if the server ends it without one."""
    async with connected(target) as wire:
        try:
            async with asyncio.timeout(patience_seconds):
                return await wire.request(data)
        except GONE:
            return None


async def statuses(
    target: Target, requests: Sequence[bytes], *, patience_seconds: float = PATIENCE_SECONDS
) -> Counter[int | None]:
    """The statuses of the answers to these requests, a few of which are under way at once."""
    found: Counter[int | None] = Counter()

    async def ask(request: bytes) -> None:
        answer = await one_answer(target, request, patience_seconds=patience_seconds)
        found[None if answer is None else answer.status] += 1

    await crowd([lambda request=request: ask(request) for request in requests], 8)
    return found


async def crowd(work: Iterable[Callable[[], Awaitable[Any]]], at_once: int) -> None:
    """Do all of this, so many at a time."""
    waiting = iter(work)

    async def worker() -> None:
        for one in waiting:
            await one()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())


TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A WebSocket frame as clients send it; the mask is nothing, to save our own time."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 2**16:
        length = bytes([0x80 | 126]) + struct.pack("!H", size)
    else:
        length = bytes([0x80 | 127]) + struct.pack("!Q", size)
    return bytes([(0x80 if final else 0) | opcode]) + length + bytes(4) + payload


def text_frame(message: object) -> bytes:
    return frame(TEXT, json.dumps(message).encode())


class Socket(Wire):
    """A connection that has become a WebSocket."""

    async def next(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload."""
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            size = struct.unpack("!H", await self.reader.readexactly(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", await self.reader.readexactly(8))[0]
        return first & 0x0F, await self.reader.readexactly(size)

    async def message(self) -> dict[str, Any]:
        """The next message; pings are answered on the way."""
        while True:
            opcode, payload = await self.next()
            if opcode == TEXT:
                return json.loads(payload)
            if opcode == PING:
                await self.send(frame(10, payload))
            elif opcode == CLOSE:
                return {"type": "closed", "code": struct.unpack("!H", payload[:2])[0] if payload else 1005}

    async def close_code(self) -> int | None:
        """The code that the server closes the socket with; None if it closes without one."""
        with suppress(*GONE):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (message := await self.message())["type"] != "closed":
                    pass
                return message["code"]
        return None


def handshake(*headers: str, path: str = "/graphql") -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    given = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    return head("GET", path, *given, *(headers or ["Sec-WebSocket-Protocol: graphql-transport-ws"]))


@asynccontextmanager
async def open_socket(target: Target, *, init: bool = True, signed_in: bool = True) -> AsyncIterator[Socket]:
    """A WebSocket, let in if `init`."""
    socket = Socket(*await asyncio.open_connection(target.host, target.port, limit=2**22))
    try:
        await socket.send(handshake())
        assert (await socket.answer()).status == 101
        if init:
            payload = {"Authorization": f"Bearer {target.token}"} if signed_in else {}
            await socket.send(text_frame({"type": "connection_init", "payload": payload}))
            assert (await socket.message())["type"] == "connection_ack"
        yield socket
    finally:
        socket.drop()
