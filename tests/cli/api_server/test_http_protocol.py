"""What the protocol reads of bodies, and when, with a real server."""

import asyncio
import hashlib
import socket
from contextlib import asynccontextmanager
from random import Random

import pytest
import uvicorn

from cli.api_server import http_protocol
from cli.api_server.connection_crowd import ConnectionCrowd
from cli.api_server.http_protocol import BoundedHttpProtocol, bounded_http_protocol
from tests.cli.processes import PATIENCE_SECONDS

MIB = 2**20


@asynccontextmanager
async def serving(app, protocol=BoundedHttpProtocol):
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", http=protocol, loop="none")
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


class Turns:
    """How many pieces of bodies the server took in each turn of the loop."""

    def __init__(self) -> None:
        self.most = self._count = 0

    def add(self) -> None:
        if not self._count:
            asyncio.get_running_loop().call_soon(self._end)
        self._count += 1

    def _end(self) -> None:
        self.most, self._count = max(self.most, self._count), 0


def counting(turns: Turns) -> type[BoundedHttpProtocol]:
    """The protocol, whose pieces are counted."""

    class Counting(BoundedHttpProtocol):
        crowd = ConnectionCrowd(1_000)

        def on_body(self, body: bytes) -> None:
            turns.add()
            super().on_body(body)

    return Counting


async def echo(scope, receive, send):
    """Answers with the length and the hash of the body."""
    digest, size = hashlib.sha256(), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        digest.update(message.get("body", b""))
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = f"{size} {digest.hexdigest()}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length)


LENGTHS = {
    "one byte": lambda _: 1,
    "a few bytes": lambda random: random.randrange(1, 40),
    "hundreds": lambda random: random.randrange(100, 900),
    "thousands": lambda random: random.randrange(1_000, 70_000),
    "one long, many short": lambda random: random.choice([1] * 200 + [30_000]),
}


@pytest.mark.parametrize("lengths", LENGTHS)
async def test_bodies_in_chunks_of_any_length_arrive_whole(lengths: str) -> None:
    """One after the other on a connection, some of them sent before the answer to the one before."""
    random = Random(lengths)
    requests, expected = [], []
    for size_bytes in (0, 1, 3_000, 150_000 if lengths != "one byte" else 30_000, 10):
        body, parts, start = random.randbytes(size_bytes), [], 0
        while start < size_bytes:
            parts.append(body[start : start + LENGTHS[lengths](random)])
            start += len(parts[-1])
        requests.append(CHUNKED + b"".join(map(chunk, parts)) + END)
        expected.append((200, f"{size_bytes} {hashlib.sha256(body).hexdigest()}".encode()))
        plain = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (size_bytes, body)
        requests.append(plain)
        expected.append(expected[-1])
    async with serving(echo) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(requests))
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert [await answer_of(reader) for _ in expected] == expected
        writer.close()


async def test_tiny_chunks_of_many_clients_are_taken_a_few_in_a_turn() -> None:
    turns = Turns()
    body = b"x" * 20_000
    async with serving(echo, counting(turns)) as port:

        async def flood(is_mixed: bool) -> tuple[int, bytes]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            long = chunk(b"y" * 2**16) if is_mixed else b""
            writer.write(CHUNKED + long + b"".join(chunk(body[:1]) for _ in body) + END)
            try:
                return await answer_of(reader)
            finally:
                writer.close()

        async with asyncio.timeout(PATIENCE_SECONDS):
            answers = await asyncio.gather(*(flood(is_mixed=number % 2 == 1) for number in range(8)))
    plain, mixed = (hashlib.sha256(data).hexdigest() for data in (body, b"y" * 2**16 + body))
    assert answers == [
        (200, f"{20_000} {plain}".encode())
        if number % 2 == 0
        else (200, f"{20_000 + 2**16} {mixed}".encode())
        for number in range(8)
    ]
    # Without any measure it would be most of the 160,000.
    assert 0 < turns.most < 40_000


async def test_more_tiny_chunks_than_any_body_needs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "MAX_TINY_CHUNKS", 2_000)
    async with serving(echo) as port:
        for length, count, status in ((1, 1_900, 200), (1, 3_000, 400), (100, 3_000, 200)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(CHUNKED + chunk(b"x" * length) * count + END)
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await answer_of(reader)
            assert answer[0] == status, (length, count)
            if status == 400:
                assert b"2000 chunks" in answer[1]
                assert await reader.read() == b""
            writer.close()


async def test_requests_that_are_all_there_do_not_wait_for_those_that_are_not() -> None:
    """Whether all of it comes at once, or a moment later."""
    begun: list[str] = []
    is_over = asyncio.Event()

    async def application(scope, receive, send):
        begun.append(scope["path"])
        if scope["path"] == "/unfinished":
            await is_over.wait()
        await echo(scope, receive, send)

    crowd = ConnectionCrowd(1_000)
    async with serving(application, bounded_http_protocol(crowd)) as port:
        clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(150)]
        while len(crowd._waiting) < 150:
            await asyncio.sleep(0.01)
        head = "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
        # Nothing reads while this goes on, so the server finds all of it at once.
        for _, writer in clients[:-2]:
            writer.write(head.format("/unfinished").encode())
        late, whole = clients[-2][1], clients[-1][1]
        late.write(head.format("/late").encode())
        whole.write(head.format("/whole").encode() + b"{}")
        while not begun:
            await asyncio.sleep(0)
        late.write(b"{}")
        while len(begun) < 150:
            await asyncio.sleep(0.001)
        is_over.set()
        for _, writer in clients:
            writer.close()
    assert begun.index("/whole") < 75
    assert begun.index("/late") < 75


@pytest.mark.parametrize(
    ("path", "headers", "status", "message"),
    [
        ("/?" + "&".join(["a=b"] * 128), [], 200, ""),
        ("/?" + "&".join(["a=b"] * 129), [], 414, "128 parameters"),
        ("/?" + "x" * 60_000, [], 200, ""),
        ("/?" + "x" * 66_000, [], 414, "URL has more than 65536 bytes"),
        ("/?" + "x" * 60_000, ["Cookie: " + "a=b;" * 2_000], 431, "65536 bytes"),
        ("/", ["Cookie: " + "a=b;" * 4_000], 200, ""),
        ("/", ["Cookie: " + "a=b;" * 4_200], 431, "16384 bytes"),
        ("/", ["X: " + "x" * 5_000] * 4, 431, "16384 bytes"),
        ("/", ["X: x"] * 127, 200, ""),
        ("/", ["X: x"] * 128, 431, "128 headers"),
        ("/", ["X: " + "x" * 100_000], 431, "bytes"),
        ("/", ["no header"], 400, "Invalid HTTP request"),
    ],
)
async def test_heads_that_would_have_to_be_taken_apart_at_length(
    path: str, headers: list[str], status: int, message: str
) -> None:
    async with serving(echo) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = [f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]
        writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await answer_of(reader)
        assert answer[0] == status
        assert message in answer[1].decode()
        writer.close()
