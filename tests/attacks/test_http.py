"""Requests that are slow, endless, lying or malformed."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from tests.attacks.size import sized
from tests.attacks.target import Target
from tests.attacks.wire import connected, crowd, head, one_answer, post, statuses

QUERY = b'{"query": "{ me { username } }"}'
HARMLESS = {
    None,
    200,
    204,
    206,
    301,
    302,
    304,
    307,
    400,
    401,
    403,
    404,
    405,
    406,
    408,
    412,
    413,
    415,
    416,
    417,
    414,
    431,
}


async def test_slow_heads(target: Target) -> None:
    """A byte now and then, or none at all: the server lets go of them, whatever they send."""
    async with target.under_attack("slow heads"):

        async def drip(number: int) -> None:
            async with connected(target) as wire:
                closing = asyncio.create_task(wire.closed())
                data = b"" if number % 2 else head("GET", "/healthz", *[f"X-{n}: 1" for n in range(100)])
                while not closing.done():
                    try:
                        await wire.send(data[:1])
                    except ConnectionError:
                        break
                    data = data[1:-4] if len(data) < 8 else data[1:]
                    await asyncio.wait({closing}, timeout=0.2)
                assert await closing

        await crowd([lambda n=n: drip(n) for n in range(sized(60, 600))], 600)


async def test_slow_second_heads(target: Target) -> None:
    """Nor may the second request on a connection take for ever."""
    async with target.under_attack("slow second heads"):

        async def drip() -> None:
            async with connected(target) as wire:
                assert (await wire.request(head("GET", "/healthz"))).status == 200
                await wire.send(b"GET /heal")
                assert await wire.closed()

        await crowd([drip] * sized(20, 200), 200)


async def test_slow_bodies(target: Target) -> None:
    """Those who promise a body and never send it keep nobody from anything, and leave nothing when they go."""
    promises = (
        post(target, b"")[:-4].replace(b"Content-Length: 0", b"Content-Length: 1000") + b"\r\n\r\n",
        head("POST", "/graphql", f"Authorization: Bearer {target.token}", "Content-Type: application/json", "Transfer-Encoding: chunked"),
        head("POST", "/graphql", f"Authorization: Bearer {target.token}", "Content-Type: multipart/form-data; boundary=x", "Content-Length: 100000"),
        head("POST", "/uploads", f"Authorization: Bearer {target.token}", "Tus-Resumable: 1.0.0", "Upload-Length: 9000", "Content-Type: application/offset+octet-stream", "Content-Length: 9000"),
        head("GET", "/healthz", "Content-Length: 100000"),
        head("GET", "/files/nothing", "Content-Length: 100000"),
    )  # fmt: skip
    async with target.under_attack("slow bodies", keeps_files=True):

        async def promise(data: bytes) -> None:
            async with connected(target) as wire:
                await wire.send(data)
                for _ in range(10):
                    await wire.send(b"1")
                    await asyncio.sleep(0.1)

        async def quietly(data: bytes) -> None:
            with suppress(ConnectionError):
                await promise(data)

        chosen = [promises[n % len(promises)] for n in range(sized(60, 300))]
        await crowd([lambda data=data: quietly(data) for data in chosen], 600)


async def test_unread_bodies(target: Target) -> None:
    """A body that nobody reads is not a way to keep a connection for ever."""
    async with target.under_attack("bodies nobody asked for"):

        async def feed() -> None:
            async with connected(target) as wire:
                assert (
                    await wire.request(head("GET", "/healthz", "Content-Length: 1000000000000"))
                ).status == 200
                closing = asyncio.create_task(wire.closed())
                while not closing.done():
                    try:
                        await wire.send(b"x" * 1000)
                    except ConnectionError:
                        break
                    await asyncio.wait({closing}, timeout=0.1)
                assert await closing

        await crowd([feed] * sized(5, 50), 50)


def lies(target: Target) -> Iterator[bytes]:
    """Requests whose head does not tell the truth about the body."""
    token = f"Authorization: Bearer {target.token}"
    json = "Content-Type: application/json"
    for length in (
        "-1",
        "+5",
        "0x10",
        "1e3",
        "10, 10",
        "10, 20",
        "",
        " ",
        "99999999999999999999999",
        "1\x002",
        "٣",
    ):
        yield (
            f"POST /graphql HTTP/1.1\r\nHost: x\r\n{token}\r\n{json}\r\nContent-Length: {length}\r\n\r\n".encode()
            + QUERY
        )
    for path in ("/graphql", "/uploads"):
        yield head("POST", path, token, json, "Content-Length: 5") + QUERY
        yield head("POST", path, token, json, "Content-Length: 32", "Content-Length: 5") + QUERY
        yield (
            head("POST", path, token, json, "Content-Length: 5", "Transfer-Encoding: chunked")
            + b"20\r\n"
            + QUERY
            + b"\r\n0\r\n\r\n"
        )
        for chunk in (
            b"zz\r\n",
            b"-1\r\n",
            b"ffffffffffffffffff\r\n",
            b"5\r\nabc\r\n0\r\n\r\n",
            b"1;" + b"x" * 70_000 + b"\r\n",
            b"\n\n\n",
        ):
            yield head("POST", path, token, json, "Transfer-Encoding: chunked") + chunk
        for encoding in ("gzip", "chunked, chunked", "identity", "chunked, gzip", "xchunked", "\x0bchunked"):
            yield head("POST", path, token, json, f"Transfer-Encoding: {encoding}") + QUERY
        trailers = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 500) for n in range(400))
        yield (
            head("POST", path, token, json, "Transfer-Encoding: chunked")
            + b"20\r\n"
            + QUERY
            + b"\r\n0\r\n"
            + trailers
            + b"\r\n"
        )
    yield head("POST", "/graphql", token, json, "Expect: 100-continue", "Content-Length: 32") + QUERY
    yield head("POST", "/graphql", token, json, "Expect: nonsense", "Content-Length: 32") + QUERY


def encodings(target: Target) -> Iterator[bytes]:
    for kind in ("text/plain", "application/json; charset=utf-16", "application/json; charset=\xff", "application/x-www-form-urlencoded", "multipart/mixed", "", ";;;;", "application/json;" + "a=b;" * 5_000, "multipart/form-data" + '; x="' + "\\" * 20_000, "application/json, application/json"):  # fmt: skip
        yield post(target, QUERY, f"Content-Type: {kind}")
    for encoding in ("gzip", "br", "deflate", "identity, gzip", "x" * 20_000):
        yield post(target, QUERY, f"Content-Encoding: {encoding}")
    for body in (
        QUERY.decode().encode("utf-16"),
        QUERY.decode().encode("utf-32"),
        b"\xef\xbb\xbf" + QUERY,
        b"\x1f\x8b" + QUERY,
    ):
        yield post(target, body)


def hostile_headers(target: Target) -> Iterator[bytes]:
    plain = f"Authorization: Bearer {target.token}"
    for value in ("a/b," * 15_000, "application/json;q=" + "1" * 50_000, "," * 60_000, ";" * 60_000, "application/json;q=nan", "*/*;q=0" * 8_000, "q=" * 30_000):  # fmt: skip
        yield head("GET", "/graphql?query={__typename}", plain, f"Accept: {value}")
    for value in ("Bearer " + "x" * 60_000, "Bearer " + "." * 60_000, "Bearer a.b.c", "Bearer \xff\xfe", "Bearer", "Basic " + "x" * 9_000, "Bearer " + "=" * 10_000, "Bearer eyJhbGciOiJub25lIn0.e30."):  # fmt: skip
        yield head("GET", "/graphql?query={me{id}}", f"Authorization: {value}")
    for value in ("a=b;" * 15_000, ";" * 60_000, "=" * 60_000, 'a="' + "\\" * 60_000, "framewise_session=" + "x" * 9_000, "__Host-framewise_session=\xff"):  # fmt: skip
        yield head("GET", "/graphql?query={me{id}}", f"Cookie: {value}")
        yield post(target, QUERY, f"Cookie: {value}", "X-Framewise-Session: 1")
    for value in (
        "null",
        "http://",
        "x" * 60_000,
        "http://[",
        "http://[::1",
        "http://a:99999999",
        "\xff",
        "http://localhost, http://localhost",
    ):
        yield post(target, QUERY, f"Origin: {value}")
        yield head(
            "OPTIONS",
            "/graphql",
            f"Origin: {value}",
            "Access-Control-Request-Method: POST",
            f"Access-Control-Request-Headers: {value}",
        )
        yield head("GET", "/graphql?query={me{id}}", f"Referer: {value}", f"Host: {value}")
    for value in ("x" * 30_000, "1.2.3.4," * 7_000, "\xff", "::::", "unknown"):
        yield post(
            target, QUERY, f"X-Forwarded-For: {value}", f"X-Forwarded-Proto: {value}", f"Forwarded: {value}"
        )
    yield head("GET", "/healthz", *[f"X-{n}: 1" for n in range(120)])
    yield head("GET", "/healthz", *[f"X-{n}: 1" for n in range(5_000)])
    yield head("GET", "/healthz", "X: " + "x" * 2**20)
    yield head("GET", "/healthz", "x" * 2**20 + ": 1")
    yield head("GET", "/" + "x" * 2**20)
    yield head("GET", "/graphql?query=" + "x" * 2**20)
    yield head("GET", "/graphql?" + "a&" * 30_000)
    yield head("GET", "/graphql?query={me{id}}&" + "a=b&" * 120)
    for name, value in (("Accept", "," * 15_000), ("Accept", "a;q=1," * 2_500), ("Cookie", ";" * 15_000), ("Cookie", "a=b;" * 3_800)):  # fmt: skip
        yield head("GET", "/graphql?query={me{id}}", f"{name}: {value}")
    yield head("GET", "/graphql?" + "query={me{id}}&" * 4_000)
    yield head("GET", "/graphql?query=" + "%7B" * 20_000)
    yield head("GET", "/graphql?query=%FF%FE&variables=%FF")
    yield head("GET", "/graphql?query={me{id}}&variables=" + "[" * 30_000)
    yield head("X" * 2**20, "/")
    yield b"GET / HTTP/1.1\r\n" + b" folded\r\n" * 5_000 + b"\r\n"
    yield b"\r\n" * 100_000


PLACES = ("/files/", "/uploads/", "/static/", "/", "/graphql/", "/healthz/")
TRICKS = (
    "../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/secret", "....//....//secret", "%00", "a%00.mp4", "\\..\\..\\secret", "//etc/passwd", "%5c..%5c", "C:%5c", "~root", "%c0%ae%c0%ae/", "%ff%fe", "." * 5_000, "a/" * 10_000, "%" * 5_000, "x" * 60_000, "%F0%9F%92%A9" * 2_000, "uploads/../../secret", ".incoming/x", "*", "?a=b" * 500, ";jsessionid=1", "%0d%0aSet-Cookie:%20a=b", "graphiql.html/..", "assets", "?key=" + "x" * 9_000 + "&expires=1e999&signature=" + "é".encode().hex(), "a?expires=99999999999999999999&signature=x", "a?expires=-1&signature=", "a?expires=nan&signature=\x7f",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "LOCK", "PURGE", "M-SEARCH", "get", "BREW", "PRI", "QUERY")  # fmt: skip


def paths() -> Iterator[bytes]:
    for place in PLACES:
        for trick in TRICKS:
            yield head("GET", place + trick)
        for method in ("POST", "PATCH", "HEAD", "DELETE"):
            yield head(
                method, place + TRICKS[0], "Tus-Resumable: 1.0.0", "Upload-Offset: 0", "Content-Length: 0"
            )
    for odd in (
        "http://other/graphql",
        "*",
        "graphql",
        "//",
        "///graphql",
        "http://[",
        "http://a:b@c:99999/",
        "/\x80",
        "/ x",
        "?query={me{id}}",
        "#",
        "/#?",
    ):
        yield head("GET", odd)
        yield head("CONNECT", odd)


def methods(target: Target) -> Iterator[bytes]:
    for method in METHODS:
        for path in (
            "/graphql",
            "/graphql?query=mutation{signOut(refreshToken:%22x%22){userErrors{code}}}",
            "/files/x",
            "/uploads",
            "/uploads/x",
            "/static/x",
            "/healthz",
            "/",
        ):
            yield head(method, path, f"Authorization: Bearer {target.token}", "Tus-Resumable: 1.0.0")
            yield head(method, path, "X-HTTP-Method-Override: PATCH", "Content-Length: 0")


async def test_lies_about_bodies(target: Target) -> None:
    """Nobody waits here: what the head promises and does not come is dropped by the client after a moment."""
    async with target.under_attack("lies about bodies"):
        found = await statuses(target, list(lies(target)), patience_seconds=0.7)
        assert set(found) <= HARMLESS, found


async def test_encodings(target: Target) -> None:
    async with target.under_attack("encodings"):
        found = await statuses(target, list(encodings(target)))
        assert set(found) <= HARMLESS, found


async def test_headers_and_addresses(target: Target) -> None:
    async with target.under_attack("headers and URLs"):
        # The same at the same time, for that is what costs most.
        requests = [one for one in hostile_headers(target) for _ in range(sized(1, 8))]
        found = await statuses(target, requests, patience_seconds=10)
        assert set(found) <= HARMLESS, found


async def test_paths(target: Target) -> None:
    async with target.under_attack("paths"):
        found = await statuses(target, list(paths()) * sized(1, 5), patience_seconds=10)
        assert set(found) <= HARMLESS, found


async def test_methods(target: Target) -> None:
    async with target.under_attack("methods"):
        found = await statuses(target, list(methods(target)), patience_seconds=10)
        assert set(found) <= HARMLESS | {501}, found


async def test_requests_in_one_packet(target: Target) -> None:
    """Thousands of requests sent before the first is answered."""
    async with target.under_attack("requests in one packet"):

        async def flood(data: bytes) -> None:
            async with connected(target) as wire:
                try:
                    await wire.send(data)
                    assert await wire.closed()
                except ConnectionError:
                    pass

        for one in (
            b"GET /healthz HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            head("GET", "/graphql?query={__typename}"),
        ):
            await crowd([lambda one=one: flood(one * 10_000)] * sized(2, 20), 4)


async def test_a_few_requests_in_one_packet_are_answered(target: Target) -> None:
    async with target.under_attack("a few requests in one packet"), connected(target) as wire:
        await wire.send(head("GET", "/healthz") * 20)
        found = Counter([(await wire.answer()).status for _ in range(20)])
        assert found == {200: 20}


async def test_answers_that_nobody_reads(target: Target) -> None:
    """Requests whose answers pile up on our side do not."""
    async with target.under_attack("answers nobody reads"):
        one = head("GET", "/graphql?query={__schema{types{name,description,fields{name,description}}}}")

        async def flood() -> None:
            async with connected(target) as wire:
                wire.writer.transport.pause_reading()
                await wire.send(one * 30)
                await asyncio.sleep(2)

        await crowd([flood] * sized(4, 40), 40)


async def test_a_normal_request_works(target: Target) -> None:
    """The helpers of these tests send what is understood, if it is meant to be."""
    answer = await one_answer(target, post(target, QUERY))
    assert answer is not None
    assert answer.json() == {
        "data": {"me": {"username": "bystander"}},
        "extensions": answer.json()["extensions"],
    }
