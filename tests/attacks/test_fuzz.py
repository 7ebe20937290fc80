"""Random bytes, and valid requests with random mistakes, at every entry; seeded, so that it can be repeated."""

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote_from_bytes

import pytest

from tests.attacks.size import SEED, sized
from tests.attacks.target import Target
from tests.attacks.test_documents import DOCUMENTS, INTROSPECTION
from tests.attacks.test_multipart import FILE, MAP, OK, form
from tests.attacks.wire import (
    BINARY,
    GONE,
    TEXT,
    Wire,
    connected,
    crowd,
    frame,
    handshake,
    head,
    open_socket,
    post,
    text_frame,
)
from tests.cli.processes import PATIENCE_SECONDS

COUNT = sized(150, 5_000)
AT_ONCE = 4
FATAL = range(500, 501)

Make = Callable[[Target, bytes], bytes]


def noise(rng: random.Random) -> bytes:
    """Random bytes: of all kinds, of printable ones, or of those that mean something here."""
    size = int(rng.expovariate(1 / 120)) + 1
    match rng.randrange(3):
        case 0:
            return rng.randbytes(size)
        case 1:
            return bytes(rng.randrange(32, 127) for _ in range(size))
    return "".join(rng.choice(_WORDS) for _ in range(size // 4 + 1)).encode()


_WORDS = ['"', "{", "}", "[", "]", "(", ")", ":", ",", "...", "@", "$", "!", "|", "&", "=", "\\", "\\u", "\\ud800", "null", "true", "-", "1e9", "0", "query", "mutation", "subscription", "fragment", "on", "User", "me", "id", "videos", "first", " ", "\n", "\r\n", '"""', "#", "\x00", "é", "𝄞", "variables", "__typename", "--x", "%", "/", ".."]  # fmt: skip


def mutated(rng: random.Random, data: bytes) -> bytes:
    """A copy with a few mistakes."""
    found = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        place = rng.randrange(len(found) + 1)
        match rng.randrange(6):
            case 0:
                found[place:place] = noise(rng)[:20]
            case 1:
                del found[place : place + rng.randrange(1, 20)]
            case 2 if place < len(found):
                found[place] ^= 1 << rng.randrange(8)
            case 3:
                end = min(len(found), place + rng.randrange(1, 40))
                found[place:place] = found[place:end] * rng.randrange(1, 5)
            case 4:
                found[place:place] = rng.choice(_WORDS).encode()
            case 5:
                del found[place:]
    return bytes(found)


VALID_QUERIES = [
    INTROSPECTION,
    "query q($n: Int = 2) { me { ...u } videos(first: $n) { edges { node { id title } } } } fragment u on User { id username @include(if: true) }",
    'mutation { startAnalysis(input: {videoId: "x", settings: {mlModel: "y", minConfidence: 0.5}}) { analysis { id } userErrors { code path } } }',
    'query { a: node(id: "VmlkZW86eA==") { ... on Video { id analyses(first: 3) { edges { cursor node { status } } } } } mlModels { name } }',
    *[document for document in DOCUMENTS.values() if len(document) < 600],
]
VALID_FRAMES = [
    json.dumps(message).encode()
    for message in (
        {"type": "connection_init", "payload": {}},
        {"type": "ping", "payload": {"a": [1]}},
        {
            "type": "subscribe",
            "id": "1",
            "payload": {"query": "{ me { id } }", "variables": {}, "operationName": None},
        },
        {"type": "subscribe", "id": "2", "payload": {"query": "subscription { events { cursor kind } }"}},
        {"type": "complete", "id": "1"},
    )
]


def get_query(target: Target, data: bytes) -> bytes:
    return head("GET", f"/graphql?query={quote_from_bytes(data)}", f"Authorization: Bearer {target.token}")


def get_variables(target: Target, data: bytes) -> bytes:
    return head(
        "GET",
        f"/graphql?query={{me{{id}}}}&variables={quote_from_bytes(data)}",
        f"Authorization: Bearer {target.token}",
    )


def get_raw(target: Target, data: bytes) -> bytes:
    kept = bytes(byte for byte in data if byte > 32 and byte != 127)
    return b"GET /graphql?" + kept + b" HTTP/1.1\r\nHost: x\r\n\r\n"


def post_json(target: Target, data: bytes) -> bytes:
    return post(target, data)


def post_query(target: Target, data: bytes) -> bytes:
    return post(target, json.dumps({"query": data.decode("latin-1")}).encode())


def post_multipart(target: Target, data: bytes) -> bytes:
    return post(target, data, "Content-Type: multipart/form-data; boundary=x")


def post_operations(target: Target, data: bytes) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n' + data + b"\r\n"
    return post_multipart(target, form(part, MAP, FILE))


def uploads(target: Target, data: bytes) -> bytes:
    path = "/uploads/" + quote_from_bytes(data, safe="/")
    return (
        head(
            "PATCH",
            path,
            "Tus-Resumable: 1.0.0",
            "Upload-Offset: 0",
            "Content-Type: application/offset+octet-stream",
            f"Content-Length: {len(data)}",
        )
        + data
    )


def upload_headers(target: Target, data: bytes) -> bytes:
    value = "".join(chr(byte) for byte in data if byte >= 32 and byte != 127)
    return head(
        "POST",
        "/uploads",
        f"Authorization: Bearer {target.token}",
        "Tus-Resumable: 1.0.0",
        "Upload-Length: x",
        f"Upload-Metadata: {value}",
        f"Upload-Checksum: {value}",
        "Content-Length: 0",
    )


def files(target: Target, data: bytes) -> bytes:
    return head("GET", "/files/" + quote_from_bytes(data, safe="/?&="))


def static(target: Target, data: bytes) -> bytes:
    return head("GET", "/static/" + quote_from_bytes(data, safe="/?&="))


def headers(target: Target, data: bytes) -> bytes:
    value = "".join(chr(byte) for byte in data if byte >= 32 and byte != 127)
    names = ("Authorization", "Cookie", "Accept", "Origin", "Range", "If-None-Match", "X-Framewise-Session")
    return head("GET", "/graphql?query={me{id}}", *(f"{name}: {value}" for name in names))


ENTRIES: dict[str, tuple[Make, list[bytes]]] = {
    "GET ?query=": (get_query, [query.encode() for query in VALID_QUERIES]),
    "GET ?variables=": (get_variables, [b'{"a": [1, {"b": null}]}']),
    "GET, raw": (get_raw, [b"query={me{id}}&variables={}&operationName=x&extensions={}"]),
    "POST, JSON": (post_json, [json.dumps({"query": query, "variables": {"n": 1}}).encode() for query in VALID_QUERIES]),
    "POST, query": (post_query, [query.encode() for query in VALID_QUERIES]),
    "POST, multipart": (post_multipart, [form(OK, MAP, FILE)]),
    "POST, operations": (post_operations, [b'{"query": "mutation($files: [Upload!]!) { uploadVideos(files: $files) { videos { id } } }", "variables": {"files": [null]}}']),
    "/uploads": (uploads, [b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]),
    "/uploads, headers": (upload_headers, [b"filename YS5tcDQ=,type dmlkZW8=", b"sha256 YQ=="]),
    "/files": (files, [b"uploads/0d8c?expires=9999999999&signature=abc&type=video/mp4&name=a.mp4"]),
    "/static": (static, [b"assets/index.js", b"../pyproject.toml"]),
    "headers": (headers, [b"Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", b"bytes=0-1,5-9", b'a=b; c="d"', b"text/html;q=0.5, */*"]),
}  # fmt: skip


@pytest.mark.parametrize("entry", list(ENTRIES))
async def test_requests(target: Target, entry: str) -> None:
    """Half of them noise, half valid ones with mistakes; over connections that are kept as long as they last."""
    make, valid = ENTRIES[entry]
    rng = random.Random(f"{SEED} {entry}")
    inputs = [noise(rng) if n % 2 else mutated(rng, rng.choice(valid)) for n in range(COUNT)]
    async with target.under_attack(f"fuzz {entry}", keeps_files=True):
        await crowd(
            [lambda part=inputs[n::AT_ONCE]: _ask_all(target, make, part) for n in range(AT_ONCE)], AT_ONCE
        )


async def _ask_all(target: Target, make: Make, inputs: list[bytes]) -> None:
    waiting = iter(inputs)
    data = next(waiting, None)
    while data is not None:
        async with connected(target) as wire:
            with suppress(*GONE):
                while data is not None:
                    answer = await wire.request(make(target, data))
                    assert answer.status not in FATAL, data
                    data = next(waiting, None)
                    if answer.headers.get("connection") == "close":
                        break
                continue
        data = next(waiting, None)


async def test_raw_bytes(target: Target) -> None:
    """Noise and requests with mistakes, as they are, on connections of their own."""
    rng = random.Random(f"{SEED} raw")
    valid = [
        post(target, b'{"query": "{ me { id } }"}'),
        head("GET", "/healthz"),
        head("POST", "/graphql", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
        handshake(),
    ]
    inputs = [noise(rng) if n % 2 else mutated(rng, rng.choice(valid)) for n in range(COUNT)]

    async def send(data: bytes) -> None:
        with suppress(*GONE):
            async with connected(target) as wire:
                await wire.send(data)
                wire.writer.write_eof()
                async with asyncio.timeout(0.1):
                    answer = await wire.answer()
                assert answer.status not in FATAL, data

    async with target.under_attack("fuzz raw bytes"):
        await crowd([lambda data=data: send(data) for data in inputs], 16)


@pytest.mark.parametrize("kind", ["text", "binary", "bytes", "subscribe"])
async def test_frames(target: Target, kind: str) -> None:
    """On sockets that are let in; a new one whenever one is closed."""
    rng = random.Random(f"{SEED} {kind}")
    inputs = [_frame(rng, kind, number) for number in range(COUNT)]
    async with target.under_attack(f"fuzz WebSocket, {kind}"):
        await crowd(
            [lambda part=inputs[n::AT_ONCE]: _frame_all(target, part) for n in range(AT_ONCE)], AT_ONCE
        )


def _frame(rng: random.Random, kind: str, number: int) -> bytes:
    if kind == "bytes":
        return mutated(rng, frame(TEXT, rng.choice(VALID_FRAMES))) if number % 2 else noise(rng)
    if kind == "subscribe":
        query = mutated(rng, rng.choice(VALID_QUERIES).encode()).decode("latin-1")
        return text_frame({"id": str(number), "type": "subscribe", "payload": {"query": query}})
    payload = noise(rng) if number % 2 else mutated(rng, rng.choice(VALID_FRAMES))
    return frame(BINARY if kind == "binary" else TEXT, payload)


async def _frame_all(target: Target, inputs: list[bytes]) -> None:
    waiting = iter(inputs)
    data = next(waiting, None)
    while data is not None:
        with suppress(*GONE):
            async with open_socket(target) as socket:
                ended = asyncio.create_task(_until_closed(socket))
                while data is not None and not ended.done():
                    await socket.send(data)
                    data = next(waiting, None)
                    await asyncio.wait({ended}, timeout=0.002)
                ended.cancel()
                continue
        data = next(waiting, None)


async def _until_closed(wire: Wire) -> None:
    with suppress(*GONE):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await wire.reader.read(2**16):
                pass
