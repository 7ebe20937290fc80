"""What the protocol reads of a body that nobody takes, with a real server."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
import uvicorn

from cli.api_server.http_protocol import BoundedHttpProtocol

MIB = 2**20


@asynccontextmanager
async def serving(app):
    config = uvicorn.Config(
        app, port=0, log_config=None, lifespan="off", http=BoundedHttpProtocol, loop="none"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@pytest.mark.parametrize("first_bytes", [0, 2**10, 2**18], ids=lambda size: f"{size} with the head")
async def test_a_body_that_nobody_takes_is_not_read(first_bytes: int) -> None:
    """However much of it comes along with the head, in which case it is read in slices."""
    is_over = asyncio.Event()

    async def application(scope, receive, send):
        await receive()
        await is_over.wait()

    sent_bytes = 0
    async with serving(application) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            # Nothing reads while this thread sends, so the server finds all of it at once.
            head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {64 * MIB}\r\n\r\n".encode()
            client.sendall(head + bytes(first_bytes))
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            try:
                while sent_bytes < 64 * MIB:
                    async with asyncio.timeout(1.0):
                        await loop.sock_sendall(client, bytes(2**16))
                    sent_bytes += 2**16
            except TimeoutError:
                pass
            is_over.set()
    # The rest of it is in the buffers of the two sockets.
    assert sent_bytes <= 32 * MIB
