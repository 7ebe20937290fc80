"""The end of a real API process by SIGTERM while requests, uploads, downloads and subscriptions are open."""

import asyncio
import json
import signal
import socket
import time
from contextlib import AsyncExitStack, suppress

import pytest
import websockets

from tests.cli.api_process import api_server, exit_code
from tests.cli.processes import PATIENCE_SECONDS, REPOSITORY, python
from tests.graphql_api.serving import opened
from tests.outages import private_valkey  # noqa: F401

MOST_SECONDS = 10.0
BOUNDARY = "-----------------------------31415926"


@pytest.fixture
async def server(tmp_path, private_valkey):  # noqa: F811
    async with api_server(tmp_path, private_valkey.url) as server:
        yield server


async def _stop(process, number=signal.SIGTERM):
    """Ask it to end; its exit code and how long that took."""
    began = time.monotonic()
    process.send_signal(number)
    return await exit_code(process), time.monotonic() - began


class Upload:
    """A multipart request that is sent as slowly as the test likes."""

    def __init__(self, server, token, file_bytes):
        operations = {
            "query": "mutation($files: [Upload!]!) { uploadVideos(files: $files) { videos { sizeBytes } } }",
            "variables": {"files": [None]},
        }
        fields = [("operations", json.dumps(operations)), ("map", '{"0": ["variables.files.0"]}')]
        self._begin = "".join(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields
        )
        self._begin += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="0"; filename="a.mp4"\r\n\r\n'
        self._end = f"\r\n--{BOUNDARY}--\r\n"
        length = len(self._begin) + file_bytes + len(self._end)
        self._head = (
            f"POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
        )
        self._port = server.port

    async def begin(self):
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        await self.send((self._head + self._begin).encode())

    async def send(self, data):
        self._writer.write(data)
        await self._writer.drain()

    async def finish(self):
        await self.send(self._end.encode())

    async def answer(self):
        """Status and body."""
        try:
            head, _, body = (await asyncio.wait_for(self._reader.read(), 60)).partition(b"\r\n\r\n")
        finally:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
        return int(head.split()[1]), json.loads(body)


def _stored(server):
    return [path for path in (server.data_dir / "files").rglob("*") if path.is_file()]


async def _until_stored(server):
    async with asyncio.timeout(60):
        while not _stored(server):
            await asyncio.sleep(0.02)


async def test_sigterm_with_everything_open(server, tmp_path):
    """200 sockets of two accounts, an upload that will be done in time, one that will not, and a client that says nothing."""
    process = await server.start()
    token = await server.sign_up()
    async with AsyncExitStack() as stack:
        sockets = []
        tokens = [token, await server.sign_up("grace")]
        for number in range(200):
            ws = await stack.enter_async_context(opened(server.socket_url))
            await ws.init({"token": tokens[number % 2]})
            subscription = ("events { number }", "myAnalysesProgress { status }")[number % 2]
            await ws.subscribe(f"subscription {{ {subscription} }}")
            sockets.append(ws)
        silent = await asyncio.open_connection("127.0.0.1", server.port)
        slow, quick = Upload(server, token, 10**9), Upload(server, token, 3 * 2**20)
        for upload in (slow, quick):
            await upload.begin()
            await upload.send(b"x" * 2**21)
        await _until_stored(server)

        ending = asyncio.create_task(_stop(process))
        closed = await asyncio.gather(*(ws.closed() for ws in sockets))
        assert {code for code, _ in closed} == {1012}
        assert process.poll() is None, "it waits for requests"
        await quick.send(b"x" * 2**20)
        await quick.finish()
        status, answer = await quick.answer()
        assert (status, answer["data"]["uploadVideos"]["videos"]) == (200, [{"sizeBytes": 3 * 2**20}])
        code, seconds = await ending
        assert (code, seconds < MOST_SECONDS) == (0, True)
        silent[1].close()
        status, answer = await slow.answer()
        assert (status, answer["errors"][0]["extensions"]) == (503, {"code": "UNAVAILABLE"})
    (stored,) = _stored(server)
    assert stored.stat().st_size == 3 * 2**20, "what was cut off left nothing"
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


async def test_an_api_alone_ends_with_code_0_by_ctrl_c(server):
    process = await server.start(alone=True)
    token = await server.sign_up()
    async with opened(server.socket_url) as ws:
        await ws.init({"token": token})
        await ws.subscribe("subscription { events { number } }")
        code, seconds = await _stop(process, signal.SIGINT)
        assert (code, seconds < MOST_SECONDS) == (0, True)
        assert (await ws.closed())[0] == 1012
    with pytest.raises(ConnectionRefusedError):
        await websockets.connect(server.socket_url)


async def test_a_valkey_that_hangs_does_not_hold_up_the_end(server, private_valkey):  # noqa: F811
    process = await server.start()
    token = await server.sign_up()
    async with opened(server.socket_url) as ws:
        await ws.init({"token": token})
        await ws.subscribe("subscription { myAnalysesProgress { status } }")
        private_valkey.halt()
        try:
            code, seconds = await _stop(process)
        finally:
            private_valkey.go_on()
        assert (code, seconds < MOST_SECONDS) == (0, True)


# Neither the request nor the application ever ends, and a thread of it never returns.
STUCK = """
import asyncio, contextlib, os, sys, threading, time
import uvicorn
from cli.api_server.graceful_server import Grace, GracefulServer

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("shutdown", flush=True)
        await asyncio.Event().wait()
    print("request", flush=True)
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 1000)
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(1000)

config = uvicorn.Config(app, port=int(sys.argv[1]), log_config=None, lifespan="on")
GracefulServer(config, Grace(0.1, 0.1, 0.1, total_seconds=1.0)).run()
"""


async def test_what_never_ends_is_ended():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *python(STUCK, str(port)), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                await asyncio.sleep(0.02)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await process.stdout.readline() == b"request\n"
            process.terminate()
            assert await process.stdout.readline() == b"shutdown\n"
            assert await process.wait() == 0
            writer.close()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
