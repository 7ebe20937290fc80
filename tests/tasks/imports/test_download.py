"""Downloads from real servers on the loopback, allowed or not, and from names that lead where they should not."""

import asyncio
import gzip
import hashlib
import socket
import ssl
from ipaddress import ip_address

import pytest

from tasks.imports import download as module
from tasks.imports.addresses import AddressPolicy, parse_networks
from tasks.imports.download import DownloadLimits, download
from tasks.imports.errors import AddressRefusedError, ImportFailedError, NotFetchedError, TransferBrokenError
from tests.tasks.imports import file_server as servers
from tests.tasks.imports.file_server import answering, file_server, raw, redirecting

LOOPBACK = AddressPolicy(parse_networks("127.0.0.1"))
MAX_BYTES = 1_000_000


class Names:
    """Stands in for the name service: each look-up of a name gives the next of its addresses."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = {name.replace("_", "."): list(given) for name, given in addresses.items()}
        self.asked: list[str] = []

    async def __call__(self, host, port):
        self.asked.append(host)
        left = self.addresses[host]
        return [ip_address(one) for one in (left.pop(0) if len(left) > 1 else left[0]).split()]


async def fetch(url, policy=LOOPBACK, *, seconds=60.0, max_bytes=MAX_BYTES, resolve=None):
    pieces: list[bytes] = []

    async def write(piece):
        pieces.append(piece)

    limits = DownloadLimits(max_bytes, seconds)
    more = {} if resolve is None else {"resolve": resolve}
    found = await download(url, write, policy=policy, limits=limits, **more)
    return found, b"".join(pieces)


async def test_a_file_comes_whole_and_is_asked_for_plainly(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    body = bytes(range(256)) * 2000
    async with file_server(clip=answering(body, Content_Disposition='inline; filename="a.mp4"')) as server:
        found, came = await fetch(server.url("/clip"))
    assert came == body
    assert (found.filename, found.size_bytes) == ("a.mp4", len(body))
    assert found.sha256 == hashlib.sha256(body).hexdigest()
    headers = server.seen[0].headers
    assert headers["accept-encoding"] == "identity"
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert not {"cookie", "authorization", "referer"} & headers.keys()


@pytest.mark.parametrize(
    "policy", [AddressPolicy(), AddressPolicy(parse_networks("10.0.0.0/8,127.0.0.2"))], ids=["none", "others"]
)
async def test_the_loopback_is_not_asked_unless_it_is_allowed(policy):
    async with file_server(clip=answering(b"secret")) as server:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(AddressRefusedError):
                await fetch(server.url("/clip", host), policy)
        assert server.seen == []


async def test_a_name_is_looked_up_once_and_that_address_is_asked():
    """Rebinding: the second answer of the name service would lead to another place."""
    names = Names(clips_example=["127.0.0.1", "127.0.0.3"])
    async with file_server(clip=answering(b"data")) as server:
        _, came = await fetch(server.url("/clip", "clips.example"), resolve=names)
        assert server.seen[0].headers["host"] == f"clips.example:{server.port}"
    assert came == b"data"
    assert names.asked == ["clips.example"]


async def test_a_redirect_to_a_name_that_now_leads_inside_is_refused():
    names = Names(clips_example=["127.0.0.1", "127.0.0.3"])
    async with file_server(clip=answering(b"secret")) as server:
        server.answers["/first"] = redirecting(server.url("/clip", "clips.example"))
        with pytest.raises(AddressRefusedError, match="No public address"):
            await fetch(server.url("/first", "clips.example"), resolve=names)
        assert [one.target for one in server.seen] == ["/first"]
    assert names.asked == ["clips.example", "clips.example"]


@pytest.mark.parametrize(
    "place",
    [
        "127.0.0.2",
        "localhost",
        "[::1]",
        "0.0.0.0",
        "2130706434",
        "0x7f.2",
        "169.254.169.254",
        "user:x@127.0.0.1",
    ],
)
async def test_a_redirect_leads_inside_no_more_than_the_url_itself(place):
    names = Names(localhost=["127.0.0.2 ::1"])
    async with file_server(clip=answering(b"secret")) as server:
        server.answers["/first"] = redirecting(server.url("/clip", place))
        with pytest.raises(AddressRefusedError):
            await fetch(server.url("/first"), resolve=names)
        assert [one.target for one in server.seen] == ["/first"]


async def test_of_the_addresses_of_a_name_only_the_permitted_ones_are_asked():
    async with file_server(clip=answering(b"data")) as server:
        names = Names(clips_example=["169.254.169.254 ::1 127.0.0.1"], inside_example=["10.0.0.1 fd00::1"])
        assert (await fetch(server.url("/clip", "clips.example"), resolve=names))[1] == b"data"
        with pytest.raises(AddressRefusedError) as caught:
            await fetch(server.url("/clip", "inside.example"), resolve=names)
    assert "10.0.0.1" not in caught.value.message


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 T", "308 P"])
async def test_redirects_are_followed(status):
    async with file_server(films=redirecting("/clip.mp4?x=1", status)) as server:
        server.answers["/clip.mp4?x=1"] = answering(b"data")
        found, came = await fetch(server.url("/films"))
    assert (found.filename, came) == ("clip.mp4", b"data")


async def test_redirects_end():
    async with file_server(a=redirecting("/b"), b=redirecting("/a")) as server:
        with pytest.raises(NotFetchedError, match="more than 5 times"):
            await fetch(server.url("/a"))
        assert len(server.seen) == 6


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (answering(b"", "404 Not Found"), NotFetchedError, "status 404: there is no such file"),
        (answering(b"", "401 Unauthorized"), NotFetchedError, "sign-in"),
        (answering(b"x", "206 Partial Content"), NotFetchedError, "status 206"),
        (answering(b"", "304 Not Modified"), NotFetchedError, "status 304"),
        (answering(b"", "302 Found"), NotFetchedError, "status 302"),
        (answering(b"", "503 Busy"), TransferBrokenError, "status 503"),
        (answering(b"<html>", Content_Type="text/html; charset=utf-8"), NotFetchedError, "web page"),
        (answering(b""), NotFetchedError, "empty"),
        (answering(b"x" * (MAX_BYTES + 1)), NotFetchedError, "max_upload_bytes"),
        (servers.endless, NotFetchedError, "max_upload_bytes"),
        (answering(gzip.compress(bytes(10**7)), Content_Encoding="gzip"), NotFetchedError, "packed"),
        (answering(b"short", Content_Length="50"), TransferBrokenError, "broke off"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc"), TransferBrokenError, "HTTP"),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 9\r\n\r\nabc"),
            TransferBrokenError,
            "HTTP",
        ),
        (raw(b"SSH-2.0-OpenSSH_9.9\r\n"), TransferBrokenError, "HTTP"),
        (raw(b""), TransferBrokenError, "HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), TransferBrokenError, "HTTP"),
        (servers.endless_head, TransferBrokenError, "HTTP"),
    ],
)
async def test_what_is_no_file_is_refused(answer, error, told):
    async with file_server(clip=answer) as server, asyncio.timeout(60):
        with pytest.raises(error, match=told):
            await fetch(server.url("/clip"))
        while server.open_connections:  # the connection is let go of
            await asyncio.sleep(0.01)


async def test_a_length_that_is_too_large_is_refused_before_the_body():
    async def wait_for_the_end(exchange):
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")
        assert await exchange.reader.read() == b""

    async with file_server(clip=wait_for_the_end) as server, asyncio.timeout(60):
        with pytest.raises(NotFetchedError, match="max_upload_bytes"):
            await fetch(server.url("/clip"))


@pytest.mark.parametrize("answer", [servers.trickling, servers.silent])
async def test_a_slow_server_has_only_so_much_time(answer):
    async with file_server(clip=answer) as server, asyncio.timeout(60):
        with pytest.raises(NotFetchedError, match="import_timeout_seconds"):
            await fetch(server.url("/clip"), seconds=0.3)


async def test_a_server_that_falls_silent_is_given_up_sooner(monkeypatch):
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.3)
    async with file_server(clip=servers.silent) as server, asyncio.timeout(60):
        with pytest.raises(TransferBrokenError, match="sent nothing"):
            await fetch(server.url("/clip"))


async def test_nobody_listens():
    async with file_server() as server:
        port = server.port
    with pytest.raises(TransferBrokenError, match="cannot be reached"):
        await fetch(f"http://127.0.0.1:{port}/clip")


async def test_a_name_that_does_not_exist_is_told_like_one_that_leads_inside(monkeypatch):
    def no_such_name(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    told = []
    for resolve in (None, Names(some_example=["10.0.0.1"])):
        with pytest.raises(ImportFailedError, match=r"No public address of some\.example is known") as caught:
            await fetch("http://some.example/clip", resolve=resolve)
        assert caught.value.is_final
        told.append(caught.value.message)
    assert told[0] == told[1]


async def test_a_redirect_to_an_address_that_is_not_public():
    async with file_server() as server:
        server.answers["/clip"] = redirecting("http://10.0.0.1/clip")
        with pytest.raises(AddressRefusedError, match=r"The address 10\.0\.0\.1 is not public"):
            await fetch(server.url("/clip"))


async def test_a_name_service_that_does_not_answer_is_asked_again(monkeypatch):
    def away(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", away)
    with pytest.raises(TransferBrokenError, match="could not be looked up"):
        await fetch("http://some.example/clip")


async def test_a_certificate_must_fit_the_name(tmp_path, monkeypatch):
    """The name is checked, although an address is connected to."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    options = ["-subj", "/CN=clips.example", "-addext", "subjectAltName=DNS:clips.example", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    process = await asyncio.create_subprocess_exec(
        *command, *options, *files, stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(certificate, key)
    shown: list[str | None] = []
    ours.sni_callback = lambda _socket, name, _context: shown.append(name)
    served = servers.FileServer(answers={"/clip": answering(b"data")})
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=ours)
    port = server.sockets[0].getsockname()[1]
    names = Names(clips_example=["127.0.0.1"], other_example=["127.0.0.1"])
    try:
        with pytest.raises(NotFetchedError, match="certificate"):
            await fetch(f"https://clips.example:{port}/clip", resolve=names)
        trusting = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr(module, "_ssl_context", lambda: trusting)
        assert (await fetch(f"https://clips.example:{port}/clip", resolve=names))[1] == b"data"
        with pytest.raises(NotFetchedError, match="certificate"):
            await fetch(f"https://other.example:{port}/clip", resolve=names)
    finally:
        server.close()
    assert shown == ["clips.example", "clips.example", "other.example"]
