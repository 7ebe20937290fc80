"""WebSockets that are idle, greedy, or speak no sense."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack

from tests.attacks.size import sized
from tests.attacks.target import Target
from tests.attacks.wire import (
    BINARY,
    CLOSE,
    GONE,
    PING,
    TEXT,
    Socket,
    connected,
    crowd,
    frame,
    handshake,
    head,
    one_answer,
    open_socket,
    text_frame,
)
from tests.cli.processes import PATIENCE_SECONDS

WATCH = "subscription { myAnalysesProgress { status } }"


def subscribe(operation_id: str, query: str = WATCH) -> bytes:
    return text_frame({"id": operation_id, "type": "subscribe", "payload": {"query": query}})


async def test_sockets_that_never_say_who_they_are(target: Target) -> None:
    async with target.under_attack("sockets without connection_init"):

        async def idle() -> None:
            async with open_socket(target, init=False) as socket:
                assert await socket.close_code() == 4408

        await crowd([idle] * sized(100, 600), 200)


async def test_more_sockets_than_an_account_may_have(target: Target) -> None:
    async with target.under_attack("sockets of one account"), AsyncExitStack() as stack:
        for _ in range(100):
            await stack.enter_async_context(open_socket(target))
        extra = await stack.enter_async_context(open_socket(target, init=False))
        await extra.send(
            text_frame({"type": "connection_init", "payload": {"Authorization": f"Bearer {target.token}"}})
        )
        assert await extra.close_code() == 1013


async def test_a_thousand_subscriptions_on_one_socket(target: Target) -> None:
    """As many as the limit says are served; for each of the others there is an error that names the limit."""
    count = sized(1_000, 1_000)
    async with target.under_attack("1,000 subscriptions on one socket"), open_socket(target) as socket:
        await socket.send(b"".join(subscribe(str(number)) for number in range(count)))
        refused = 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while refused < count - 100:
                message = await socket.message()
                assert message["type"] == "error", message
                assert message["payload"][0]["extensions"]["limit"] == "max_subscriptions_per_socket"
                refused += 1
        await socket.send(text_frame({"type": "ping"}))
        assert (await socket.message())["type"] == "pong"


async def test_a_storm_of_subscriptions(target: Target) -> None:
    async with target.under_attack("subscribe and complete"), open_socket(target) as socket:
        for _ in range(sized(10, 100)):
            frames = [subscribe(str(n)) + text_frame({"id": str(n), "type": "complete"}) for n in range(200)]
            await socket.send(b"".join(frames) + text_frame({"type": "ping"}))
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await socket.message())["type"] != "pong":
                    pass


async def test_a_storm_of_queries(target: Target) -> None:
    async with target.under_attack("queries on one socket"), open_socket(target) as socket:
        count = sized(400, 10_000)
        reading = asyncio.create_task(_read(socket))
        for number in range(count):
            await socket.send(subscribe(str(number), "{ me { username } }"))
        await asyncio.sleep(0.5)
        reading.cancel()


async def test_floods_of_pings(target: Target) -> None:
    """Those of the protocol and those of graphql-transport-ws, read or not."""
    message = text_frame({"type": "ping", "payload": {"x": "y" * 100}})
    async with target.under_attack("floods of pings"):
        for flood in (
            frame(PING, b"x" * 100) * 200,
            message * 200,
            frame(10, b"x") * 400,
            text_frame({"type": "pong"}) * 400,
        ):
            for reads in (True, False):
                async with open_socket(target) as socket:
                    reading = asyncio.create_task(_read(socket)) if reads else None
                    if reading is None:
                        socket.writer.transport.pause_reading()
                    try:
                        async with asyncio.timeout(sized(3, 50) / 10):
                            while True:
                                await socket.send(flood)
                    except GONE:
                        pass
                    if reading is not None:
                        reading.cancel()


async def test_answers_that_nobody_reads(target: Target) -> None:
    """Much is asked and nothing read: what waits on our side is bounded, and ends."""
    async with target.under_attack("a socket that reads nothing") as verdict:

        async def greedy() -> None:
            async with open_socket(target) as socket:
                socket.writer.transport.pause_reading()
                query = "{ __schema { types { name description fields { name description } } } }"
                try:
                    async with asyncio.timeout(sized(4, 20)):
                        for number in range(100_000):
                            await socket.send(subscribe(str(number), query))
                except GONE:
                    pass

        await crowd([greedy] * sized(4, 20), 20)
        held = target.ask_meter("report")
        assert held["resident_bytes"] < 900 * 2**20, held["resident_bytes"]
    assert verdict.grown_bytes < 200 * 2**20


async def test_large_frames(target: Target) -> None:
    async with target.under_attack("frames of 2 MB"):
        for data in (
            frame(TEXT, b'{"type":"ping","payload":{"x":"' + b"x" * 2**21 + b'"}}'),
            frame(BINARY, b"x" * 2**21),
            frame(TEXT, b"[" * 200_000),
            frame(TEXT, b"x" * 2**17, final=False) + frame(0, b"x" * 2**17, final=False) * 20,
            bytes([0x81, 0xFF]) + (2**63 - 1).to_bytes(8, "big") + bytes(4) + b"x" * 1000,
        ):
            async with open_socket(target) as socket:
                await socket.send(data)
                assert await socket.close_code() in (1009, 4400), data[:20]


async def test_fragments_without_end(target: Target) -> None:
    """Empty fragments make no message longer, but they pile up."""
    async with target.under_attack("fragments without end"), open_socket(target) as socket:
        closing = asyncio.create_task(socket.closed())
        await socket.send(frame(TEXT, b"", final=False))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not closing.done():
                try:
                    await socket.send(frame(0, b"", final=False) * 2_000)
                except ConnectionError:
                    break
                await asyncio.sleep(0)
        assert await closing


def malformed() -> Iterator[bytes]:
    """Frames against RFC 6455, and messages against graphql-transport-ws."""
    yield bytes([0x83, 0x80]) + bytes(4)
    yield bytes([0xF1, 0x80]) + bytes(4)
    yield bytes([0x81, 0x05]) + b"hello"
    yield frame(0, b"x")
    yield frame(TEXT, b"a", final=False) + frame(TEXT, b"b")
    yield frame(PING, b"x" * 126)
    yield frame(PING, b"x", final=False)
    yield frame(CLOSE, b"x")
    yield frame(CLOSE, b"\x03\xe7")
    yield frame(CLOSE, b"\x00\x00")
    yield frame(CLOSE, b"\x03\xe8\xff\xfe")
    yield frame(TEXT, b"\xff\xfe")
    yield frame(TEXT, b"\xed\xa0\x80")
    yield frame(TEXT, b"\xe2\x82", final=False) + frame(0, b"\x28")
    yield b"GET / HTTP/1.1\r\n\r\n"
    for message in (None, 1, [], {}, {"type": None}, {"type": 1}, {"type": "x" * 9_000}, {"type": "next"}, {"type": "connection_init"}, {"type": "connection_ack"}, {"type": "subscribe"}, {"type": "subscribe", "id": 1, "payload": {"query": WATCH}}, {"type": "subscribe", "id": "", "payload": {"query": WATCH}}, {"type": "subscribe", "id": "1", "payload": None}, {"type": "subscribe", "id": "1", "payload": {"query": None}}, {"type": "subscribe", "id": "1", "payload": {"query": WATCH, "variables": []}}, {"type": "complete"}, {"type": "complete", "id": []}, {"type": "ping", "payload": 1}, {"type": "pong", "payload": []}):  # fmt: skip
        yield text_frame(message)
    for text in (
        "",
        " ",
        "{",
        "nul",
        "[" * 9_000,
        '{"type":"ping","payload":' + '{"a":' * 1_100 + "1" + "}" * 1_101,
        '{"type":"ping"}{"type":"ping"}',
        '{"type":"\\ud800"}',
        "NaN",
    ):
        yield frame(TEXT, text.encode())
    yield frame(BINARY, json.dumps({"type": "ping"}).encode())


async def test_malformed_frames(target: Target) -> None:
    """Each ends the socket with a code that says why; it is never just dropped."""
    async with target.under_attack("malformed frames"):
        for data in malformed():
            async with open_socket(target) as socket:
                await socket.send(data)
                code = await socket.close_code()
                assert code in (1000, 1002, 1003, 1005, 1007, 4400, 4429), (data[:80], code)


async def test_inits_of_every_wrong_shape(target: Target) -> None:
    payloads: list[object] = [None, {}, [], 1, "x", {"Authorization": None}, {"Authorization": []}, {"Authorization": "Bearer"}, {"Authorization": "Bearer " + "x" * 100_000}, {"authorization": {"a": 1}}, {"headers": {"Authorization": 1}}, {"Authorization": "Bearer \x00"}, {"Authorization": "Bearer é.é.é"}, {str(n): n for n in range(9_000)}]  # fmt: skip
    async with target.under_attack("connection_init"):
        for payload in payloads * sized(1, 20):
            async with open_socket(target, init=False) as socket:
                await socket.send(text_frame({"type": "connection_init", "payload": payload}))
                message = await socket.message()
                assert message["type"] == "connection_ack" or message.get("code") in (4400, 4403), (
                    payload,
                    message,
                )


def handshakes() -> Iterator[bytes]:
    protocol = "Sec-WebSocket-Protocol: graphql-transport-ws"
    for headers in (
        ("Sec-WebSocket-Protocol: graphql-ws",), ("Sec-WebSocket-Protocol: " + "a," * 9_000,), ("X: 1",), (protocol, "X: " + "x" * 20_000), (protocol, *[f"X-{n}: 1" for n in range(100)]), (protocol, *[f"X-{n}: 1" for n in range(120)]), (protocol, *[f"X-{n}: 1" for n in range(900)]), (protocol, "Sec-WebSocket-Version: 8"), (protocol, "Sec-WebSocket-Key: short"), (protocol, "Sec-WebSocket-Extensions: " + "permessage-deflate," * 900), (protocol, "Sec-WebSocket-Extensions: ;;;"), (protocol, "Content-Length: 5"), (protocol, "Transfer-Encoding: chunked"), (protocol, "Origin: http://["), (protocol, "Origin: null"), (protocol, "Cookie: " + "a=b;" * 9_000), (protocol, "Authorization: Bearer \xff"), ("Sec-WebSocket-Protocol: \xff\xfe",), ("Sec-WebSocket-Protocol: graphql-transport-ws, \x01",),
    ):  # fmt: skip
        yield handshake(*headers)
    for path in (
        "/",
        "/files/x",
        "/uploads",
        "/nothing",
        "/graphql?" + "a" * 9_000,
        "/graphql?x=" + "x" * 60_000,
        "/graphql%00",
        "/%ff",
        "//graphql",
        "/graphql\x80",
        "http://x/graphql",
        "*",
    ):
        yield handshake(protocol, path=path)
    yield head("POST", "/graphql", "Upgrade: websocket", "Connection: Upgrade", protocol)
    yield head("GET", "/graphql", "Upgrade: websocket", "Connection: Upgrade")
    yield head("GET", "/graphql", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: x")
    yield head(
        "GET",
        "/graphql",
        "Upgrade: websocket, websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Key: x",
    )
    yield handshake(protocol).replace(b"HTTP/1.1", b"HTTP/1.0")
    yield handshake(protocol).replace(b"Host: localhost\r\n", b"")
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


async def test_handshakes(target: Target) -> None:
    async with target.under_attack("handshakes"):
        for data in handshakes():
            answer = await one_answer(target, data, patience_seconds=5)
            assert answer is None or answer.status < 500, (data[:200], answer)


async def test_the_wrong_subprotocol_is_told(target: Target) -> None:
    async with target.under_attack("a wrong subprotocol"), connected(target) as wire:
        await wire.send(handshake("Sec-WebSocket-Protocol: graphql-ws"))
        assert (await wire.answer()).status == 101
        assert await Socket(wire.reader, wire.writer).close_code() == 4406


async def _read(socket: Socket) -> None:
    while await socket.reader.read(2**16):
        pass
