"""Connections of clients that vanish, read nothing, or send more than is good, with a real server."""

import asyncio
import socket
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import uvicorn
import websockets

from cli.api_server import websocket_protocol
from cli.api_server.websocket_protocol import (
    PING_INTERVAL_SECONDS,
    PING_TIMEOUT_SECONDS,
    BoundedWebSocketProtocol,
)

HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """A client's frame; its mask is zeros."""
    assert len(payload) < 126
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


class Application:
    """Notes what it gets; floods its client if told to."""

    def __init__(self):
        self.messages = []
        self.floods = self.returns_early = False
        self.is_blocked = asyncio.Event()
        self.has_ended = asyncio.Event()

    async def __call__(self, scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        try:
            if self.floods:
                await self._flood(send)
            while not self.returns_early and (message := await receive())["type"] == "websocket.receive":
                self.messages.append(message["text"])
        finally:
            self.has_ended.set()

    async def _flood(self, send):
        while True:
            sending = asyncio.ensure_future(send({"type": "websocket.send", "text": "x" * 10_000}))
            done, _ = await asyncio.wait({sending}, timeout=0.5)
            if not done:
                self.is_blocked.set()
                if self.returns_early:
                    sending.cancel()
                    return
            await sending


@asynccontextmanager
async def serving(app, **options):
    config = uvicorn.Config(
        app, port=0, log_config=None, lifespan="off", ws=BoundedWebSocketProtocol, **options
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def silent_client(port):
    """A client that reads nothing after the handshake."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, HANDSHAKE.encode())
        await loop.sock_recv(client, 200)
        yield client


async def _until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_client_that_vanishes_is_noticed_within_ten_seconds():
    assert PING_INTERVAL_SECONDS + PING_TIMEOUT_SECONDS + websocket_protocol._LAST_SECONDS < 10


@pytest.mark.parametrize("floods", [False, True])
async def test_a_client_that_answers_no_pings_is_let_go(monkeypatch, floods):
    monkeypatch.setattr(websocket_protocol, "_LAST_SECONDS", 0.1)
    app = Application()
    app.floods = floods
    pings = {"ws_ping_interval": 1.0, "ws_ping_timeout": 1.0}
    async with serving(app, **pings) as (server, port), silent_client(port):
        if floods:
            await asyncio.wait_for(app.is_blocked.wait(), 60)
        await asyncio.wait_for(app.has_ended.wait(), 60)
        await _until(lambda: not server.server_state.connections)


async def test_a_client_that_reads_nothing_cannot_outlive_the_application(monkeypatch):
    monkeypatch.setattr(websocket_protocol, "_CLOSING_SECONDS", 0.2)
    app = Application()
    app.floods = app.returns_early = True
    async with serving(app, ws_ping_interval=None) as (server, port), silent_client(port):
        await asyncio.wait_for(app.has_ended.wait(), 60)
        await _until(lambda: not server.server_state.connections)


async def test_pings_without_end_are_not_answered_without_end():
    app = Application()
    async with serving(app, ws_ping_interval=None) as (server, port), silent_client(port) as client:
        (connection,) = server.server_state.connections
        pings = frame(b"x" * 120, 9) * 100
        sent = 0
        # What is answered lies in the buffers of both ends, and a little in ours.
        while sent < 30 * 2**20:
            sent += len(pings)
            await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(client, pings), 60)
            assert connection.transport.get_write_buffer_size() < 200_000
        assert not connection.writable.is_set(), "the client had room for all answers"


async def test_a_flood_of_frames_leaves_others_their_turn():
    app, turns = Application(), []

    async def others():
        while True:
            turns.append(len(app.messages))
            await asyncio.sleep(0)

    async with (
        serving(app, ws_ping_interval=None) as (_, port),
        websockets.connect(f"ws://127.0.0.1:{port}") as client,
    ):
        beside = asyncio.create_task(others())
        client.transport.write(b"".join(frame(b"%d" % number) for number in range(5000)))
        await _until(lambda: len(app.messages) == 5000)
        beside.cancel()
    assert app.messages == [str(number) for number in range(5000)]
    assert max(after - before for before, after in pairwise(turns)) < 1000
