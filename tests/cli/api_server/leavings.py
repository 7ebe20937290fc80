"""Run as a script: connections come and go without the garbage collector; says what they leave for it."""

import asyncio
import base64
import gc
import os
import socket
import struct
import sys
from collections import Counter

import uvicorn
import uvloop

from cli.api_server.connection_crowd import ConnectionCrowd
from cli.api_server.http_protocol import bounded_http_protocol
from cli.api_server.websocket_protocol import bounded_websocket_protocol
from graphql_api.app import create_app

_WATCH = b'{"id":"1","type":"subscribe","payload":{"query":"subscription { myAnalysesProgress { status } }"}}'
_ASK = b'{"id":"1","type":"subscribe","payload":{"query":"{ __typename }"}}'
_INIT = b'{"type":"connection_init"}'
_BODY = b'{"query": "{ __typename }"}'
_POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def _handshake(version: bytes = b"13") -> bytes:
    key = base64.b64encode(os.urandom(16))
    return (
        b"GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: " + key + b"\r\nSec-WebSocket-Version: " + version + b"\r\n"
        b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    )


def _frame(opcode: int, payload: bytes) -> bytes:
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


EXCHANGES: dict[str, list[bytes]] = {
    "http": [_POST % len(_BODY) + _BODY],
    "half": [_POST % 99 + b"{"],
    "silent": [_handshake()],
    "asks": [_handshake(), _frame(1, _INIT), _frame(1, _ASK)],
    "subscribes": [_handshake(), _frame(1, _INIT), _frame(1, _WATCH)],
    "closes": [_handshake(), _frame(1, _INIT), _frame(8, struct.pack("!H", 1000))],
    "invalid": [_handshake(), bytes([0x83, 0x80]) + bytes(4)],
    "refused": [_handshake(b"8")],
}
"""What is sent; each is answered, but for half a request."""


def _connect(port: int, kind: str) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        for data in EXCHANGES[kind]:
            client.sendall(data)
            if kind != "half":
                assert client.recv(4096)


async def _connect_often(server: uvicorn.Server, port: int, kind: str, times: int) -> None:
    for _ in range(times):
        await asyncio.to_thread(_connect, port, kind)
    async with asyncio.timeout(60):
        while server.server_state.connections or server.server_state.tasks:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)


async def main() -> None:
    """Serve, connect, and say what is left."""
    crowd = ConnectionCrowd(100)
    config = uvicorn.Config(
        create_app(), port=0, log_config=None, lifespan="on", loop="none", ws_per_message_deflate=False,
        http=bounded_http_protocol(crowd), ws=bounded_websocket_protocol(crowd),
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    for kind in EXCHANGES:
        await _connect_often(server, port, kind, 3)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        await _connect_often(server, port, kind, 10)
        print(f"{kind}: {gc.collect()} objects")  # noqa: T201
        names = Counter(type(thing).__qualname__ for thing in gc.garbage)
        if names:
            sys.stderr.write(f"{kind}: {names.most_common(20)}\n")
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    server.should_exit = True
    await serving


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
