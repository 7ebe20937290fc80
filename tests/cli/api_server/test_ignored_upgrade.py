"""Requests that offer another protocol are answered as if they did not, with a real server."""

import asyncio
import hashlib

import pytest

from cli.api_server.connection_crowd import ConnectionCrowd
from cli.api_server.http_protocol import BoundedHttpProtocol, bounded_http_protocol
from tests.cli.api_server.test_http_protocol import CHUNKED, END, answer_of, chunk, echo, serving
from tests.cli.processes import PATIENCE_SECONDS

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
"""What curl sends with --http2, and Java's HttpClient unless told otherwise."""

TLS = b"Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n"
SOCKET = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
OFFERS = {"h2c": H2C, "tls": TLS, "websocket with a body": SOCKET}


def plain(body: bytes, offer: bytes = b"", method: bytes = b"POST") -> bytes:
    return b"%b / HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (method, offer, len(body), body)


def in_chunks(body: bytes, offer: bytes) -> bytes:
    head = CHUNKED.replace(b"Host: x\r\n", b"Host: x\r\n" + offer)
    return head + chunk(body[:3]) + chunk(body[3:]) + END


def expected(body: bytes) -> tuple[int, bytes]:
    return 200, f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()


class Noting(BoundedHttpProtocol):
    """Notes how many bytes have come."""

    received_bytes = 0

    def data_received(self, data: bytes) -> None:
        Noting.received_bytes += len(data)
        super().data_received(data)


async def exchange(port: int, parts: list[bytes], count: int) -> list[tuple[int, bytes]]:
    """Send each part when the one before has come, and read so many answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for part in parts[:-1]:
                due_bytes = Noting.received_bytes + len(part)
                writer.write(part)
                while Noting.received_bytes < due_bytes:
                    await asyncio.sleep(0)
            writer.write(parts[-1])
            return [await answer_of(reader) for _ in range(count)]
    finally:
        writer.close()


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("framed", [plain, in_chunks])
async def test_a_body_is_taken_wherever_it_is_split(framed, offer: bytes) -> None:
    """With a request behind it that would be taken for its body, or the body for a request."""
    body = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    data = framed(body, offer) + plain(b"next")
    async with serving(echo, Noting) as port:
        for split in range(1, len(data)):
            answers = await exchange(port, [data[:split], data[split:]], 2)
            assert answers == [expected(body), expected(b"next")], split
        by_bytes = [data[index : index + 1] for index in range(len(data))]
        assert await exchange(port, by_bytes, 2) == [expected(body), expected(b"next")]


async def test_many_in_one_packet_are_answered_in_their_order() -> None:
    bodies = [bytes([number]) * number * 7 for number in range(20)]
    data = b"".join(
        plain(body, H2C) if number % 3 else in_chunks(body or b"none", TLS)
        for number, body in enumerate(bodies)
    )
    async with serving(echo) as port:
        answers = await exchange(port, [data], len(bodies))
    assert answers == [expected(body or b"none") for body in bodies]


async def test_large_bodies_arrive_whole() -> None:
    body = bytes(range(256)) * 2**12
    async with serving(echo, Noting) as port:
        for data in (plain(body, H2C), in_chunks(body, H2C)):
            assert await exchange(port, [data, plain(b"next")], 2) == [expected(body), expected(b"next")]


async def test_a_request_without_a_body_is_answered() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n" + H2C + b"\r\n"
    async with serving(echo) as port:
        assert await exchange(port, [head + head + plain(b"next")], 3) == [
            expected(b""),
            expected(b""),
            expected(b"next"),
        ]


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Content-Length: +3\r\n",
        b"Content-Length:\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding:\r\n",
    ],
)
@pytest.mark.parametrize("offer", [b"", H2C, SOCKET], ids=["none", "h2c", "websocket"])
async def test_ambiguous_bodies_are_refused_with_an_offer_as_without(framing: bytes, offer: bytes) -> None:
    asked = []

    async def application(scope, receive, send):
        asked.append((await receive())["type"])

    async with serving(application, bounded_http_protocol(ConnectionCrowd(10))) as port:
        head = b"POST / HTTP/1.1\r\nHost: x\r\n" + offer + framing + b"\r\n"
        assert (await exchange(port, [head + b"0\r\n\r\n" + plain(b"")], 1))[0][0] == 400
    assert asked in ([], ["http.disconnect"])


async def test_a_proxy_is_not_what_this_is() -> None:
    async with serving(echo) as port:
        data = b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n" + plain(b"next")
        assert (await exchange(port, [data], 1))[0][0] == 400
