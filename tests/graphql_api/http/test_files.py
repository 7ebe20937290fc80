"""Stored files over HTTP."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
import httpx
import pytest
from starlette.applications import Starlette

from graphql_api.http.files import file_url, files_route
from graphql_api.http.signed_urls import FileLink, signed_query
from storage.base import AbstractStorage
from storage.errors import StorageUnavailableError
from storage.local import LocalStorage
from tests.graphql_api.http_server import http_server

SECRET = b"a secret of the tests"
CONTENT = bytes(range(256)) * 4096
KEY = "videos/0b1c/source.mp4"
BASE_URL = "http://framewise.test"

Link = Callable[..., Any]


@pytest.fixture
async def storage(tmp_path: Path) -> LocalStorage:
    storage = LocalStorage(tmp_path / "files")
    await storage.put(KEY, CONTENT)
    return storage


@pytest.fixture
async def client(storage: LocalStorage) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[files_route(storage, SECRET)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        yield client


@pytest.fixture
def link(storage: LocalStorage) -> Link:
    async def make(key: str = KEY, **options: Any) -> str:
        options = {"secret": SECRET, "base_url": BASE_URL, "expires_in_seconds": 60} | options
        return await file_url(storage, key, **options)

    return make


def assert_is_safe(response: httpx.Response) -> None:
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("sandbox;")


async def test_the_whole_file(client: httpx.AsyncClient, link: Link) -> None:
    response = await client.get(await link())
    assert response.status_code == 200
    assert response.content == CONTENT
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["content-length"] == str(len(CONTENT))
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-disposition"] == "inline"
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["etag"].startswith('"')
    assert "last-modified" in response.headers
    assert_is_safe(response)


async def test_head(client: httpx.AsyncClient, link: Link) -> None:
    whole = await client.get(await link())
    response = await client.head(await link())
    assert response.status_code == 200
    assert response.content == b""
    assert response.headers == whole.headers


async def test_an_empty_file(client: httpx.AsyncClient, storage: LocalStorage, link: Link) -> None:
    await storage.put("empty", b"")
    response = await client.get(await link("empty"))
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, len(CONTENT)),
        ("bytes=5-9", 5, 10),
        ("bytes=300000-600000", 300_000, 600_001),
        ("bytes=1048575-", 1_048_575, 1_048_576),
        ("bytes=1000000-99999999999", 1_000_000, len(CONTENT)),
        ("bytes=-10", len(CONTENT) - 10, len(CONTENT)),
        ("bytes=-99999999999", 0, len(CONTENT)),
        ("Bytes=5-9", 5, 10),
    ],
)
async def test_a_range(client: httpx.AsyncClient, link: Link, asked: str, start: int, end: int) -> None:
    response = await client.get(await link(), headers={"range": asked})
    assert response.status_code == 206
    assert response.content == CONTENT[start:end]
    assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert response.headers["content-length"] == str(end - start)
    assert response.headers["content-type"] == "video/mp4"
    assert_is_safe(response)
    head = await client.head(await link(), headers={"range": asked})
    assert head.headers == response.headers


@pytest.mark.parametrize("asked", ["bytes=1048576-", "bytes=99999999-", "bytes=-0"])
async def test_a_range_outside_the_file(client: httpx.AsyncClient, link: Link, asked: str) -> None:
    response = await client.get(await link(), headers={"range": asked})
    assert response.status_code == 416
    assert response.headers["content-range"].endswith(f"*/{len(CONTENT)}")


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,5-9",
        "bytes=9-5",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=--5",
        "bytes=0x1-5",
        "bytes=" + "9" * 5000 + "-",
        "lines=0-5",
        "5-9",
        "bytes=" + "0-1," * 5000 + "0-1",
    ],
)
async def test_a_range_that_is_none_gets_the_whole_file(
    client: httpx.AsyncClient, link: Link, asked: str
) -> None:
    response = await client.get(await link(), headers={"range": asked})
    assert response.status_code == 200
    assert response.content == CONTENT


async def test_if_range(client: httpx.AsyncClient, link: Link) -> None:
    whole = await client.get(await link())
    for validator in (whole.headers["etag"], whole.headers["last-modified"]):
        headers = {"range": "bytes=5-9", "if-range": validator}
        assert (await client.get(await link(), headers=headers)).status_code == 206
    for validator in ('"another"', f"W/{whole.headers['etag']}", "Sat, 01 Jan 2000 00:00:00 GMT"):
        headers = {"range": "bytes=5-9", "if-range": validator}
        assert (await client.get(await link(), headers=headers)).content == CONTENT


async def test_what_the_client_has_is_not_sent_again(
    client: httpx.AsyncClient, storage: LocalStorage, link: Link
) -> None:
    whole = await client.get(await link())
    etag, modified = whole.headers["etag"], whole.headers["last-modified"]
    for headers in (
        {"if-none-match": etag},
        {"if-none-match": f'"x", W/{etag}'},
        {"if-none-match": "*"},
        {"if-modified-since": modified},
        {"if-none-match": etag, "range": "bytes=5-9"},
    ):
        response = await client.get(await link(), headers=headers)
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == etag
    for headers in (
        {"if-none-match": '"x"'},
        {"if-none-match": '"x"', "if-modified-since": modified},
        {"if-modified-since": "Sat, 01 Jan 2000 00:00:00 GMT"},
        {"if-modified-since": "yesterday"},
    ):
        assert (await client.get(await link(), headers=headers)).status_code == 200
    await storage.put(KEY, CONTENT[1:])
    assert (await client.get(await link(), headers={"if-none-match": etag})).status_code == 200


@pytest.mark.parametrize(
    ("filename", "attachment", "expected"),
    [
        ("clip.mp4", False, 'inline; filename="clip.mp4"'),
        ("clip.mp4", True, 'attachment; filename="clip.mp4"'),
        ("my clip.mp4", True, 'attachment; filename="my clip.mp4"'),
        (
            'Über "uns" 100%.mp4',
            True,
            'attachment; filename="_ber _uns_ 100_.mp4"; '
            "filename*=UTF-8''%C3%9Cber%20%22uns%22%20100%25.mp4",
        ),
        ("a\r\nX-Evil: 1.mp4", True, None),
        ("日本.mp4", False, "inline; filename=\"__.mp4\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.mp4"),
        (None, True, "attachment"),
    ],
)
async def test_the_name_of_a_download(
    client: httpx.AsyncClient, link: Link, filename: str | None, attachment: bool, expected: str | None
) -> None:
    response = await client.get(await link(filename=filename, attachment=attachment))
    assert response.status_code == 200
    assert "x-evil" not in response.headers
    if expected is not None:
        assert response.headers["content-disposition"] == expected


async def test_the_content_type(client: httpx.AsyncClient, storage: LocalStorage, link: Link) -> None:
    await storage.put("uploads/0b1c", b"<script>")
    for options, expected in (
        ({"content_type": "video/webm"}, "video/webm"),
        ({"filename": "a.mkv"}, "video/x-matroska"),
        ({"filename": "a.html"}, "text/html; charset=utf-8"),
        ({}, "application/octet-stream"),
    ):
        response = await client.get(await link("uploads/0b1c", **options))
        assert response.headers["content-type"] == expected
        assert_is_safe(response)


async def test_without_a_signature_nothing(client: httpx.AsyncClient, link: Link) -> None:
    url = await link()
    base, _, query = url.partition("?")
    expired = f"{base}?{signed_query(FileLink(KEY, int(time.time()) - 5), SECRET)}"
    for refused, message in (
        (base, "not signed"),
        (f"{base}?expires=1", "not signed"),
        (url.replace("expires=", "expires=1"), "damaged"),
        (url[:-1], "damaged"),
        (url.replace("0b1c", "0b1d"), "damaged"),
        (f"{BASE_URL}/files/missing?{query}", "damaged"),
        (f"{BASE_URL}/files/videos/%2e%2e/%2e%2e/etc/passwd?{query}", "damaged"),
        (expired, "expired"),
    ):
        response = await client.get(refused)
        assert response.status_code == 403
        assert message in response.json()["error"]
        assert "the API" in response.json()["error"]
        assert response.headers["cache-control"] == "no-store"
        assert_is_safe(response)
    assert (await client.post(url)).status_code == 405


@pytest.mark.parametrize(
    "key", ["missing", "videos", "videos/0b1c", "../x", ".incoming/x", "a\0b", "/etc/passwd"]
)
async def test_a_signed_link_to_no_file(client: httpx.AsyncClient, key: str) -> None:
    query = signed_query(FileLink(key, int(time.time()) + 60), SECRET)
    path = key.replace("\0", "%00").replace("..", "%2e%2e")
    url = httpx.URL(BASE_URL).copy_with(raw_path=f"/files/{path}?{query}".encode())
    response = await client.get(url)
    assert response.status_code == 404
    assert response.json() == {"error": "This file is no longer there. It may have been deleted."}


async def test_a_storage_that_fails(
    client: httpx.AsyncClient, storage: LocalStorage, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(key: str) -> str:
        raise StorageUnavailableError("disk 3 of /srv is broken")

    url = await link()
    monkeypatch.setattr(storage, "source", fail)
    response = await client.get(url)
    assert response.status_code == 503
    assert "srv" not in response.text


async def test_a_link_stays_the_same_for_a_while(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    first = await link()
    monkeypatch.setattr(time, "time", lambda: 1_700_000_001.0)
    assert await link() == first
    assert first.startswith(f"{BASE_URL}/files/{KEY}?expires=")
    assert set(parse_qs(urlsplit(first).query)) == {"expires", "type", "signature"}


class ElsewhereStorage(LocalStorage):
    async def public_url(self, key: str, *_: Any, **__: Any) -> str:
        return f"https://s3.test/{key}?signed"


async def test_a_storage_with_its_own_links(tmp_path: Path, link: Link, storage: LocalStorage) -> None:
    elsewhere: AbstractStorage = ElsewhereStorage(tmp_path)
    url = await file_url(elsewhere, KEY, secret=SECRET, base_url=BASE_URL, expires_in_seconds=60)
    assert url == f"https://s3.test/{KEY}?signed"
    app = Starlette(routes=[files_route(elsewhere, SECRET)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        response = await client.get(await link())
    assert (response.status_code, response.headers["location"]) == (307, url)


async def test_pyav_seeks_over_the_link(media_dir: Path, tmp_path: Path) -> None:
    clip = media_dir / "short_hamilton_clip.mp4"
    storage = LocalStorage(tmp_path / "files")
    await storage.put("clip.mp4", clip.read_bytes())

    def frame_after_seek(source: str) -> bytes:
        with av.open(source) as container:
            container.seek(3_000_000)
            return next(container.decode(video=0)).to_ndarray().tobytes()

    async with http_server(Starlette(routes=[files_route(storage, SECRET)])) as base_url:
        url = await file_url(storage, "clip.mp4", secret=SECRET, base_url=base_url, expires_in_seconds=60)
        assert await asyncio.to_thread(frame_after_seek, url) == frame_after_seek(os.fspath(clip))
