"""What only S3 does."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import aclosing
from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx
import pytest

from storage.errors import StorageConfigurationError, StorageFullError, StorageUnavailableError
from storage.factory import create_storage
from storage.s3 import S3Storage
from storage.s3_writer import MAX_PARTS, PART_BYTES, S3Writer
from tests.storage.ceph_server import CephServer
from tests.storage.conftest import needs_s3

pytestmark = needs_s3

MIB = 2**20
CONTENT = bytes(range(256)) * 100


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


async def test_a_public_url(s3_storage: S3Storage, client: httpx.AsyncClient) -> None:
    await s3_storage.put("videos/a", CONTENT)
    url = await s3_storage.public_url("videos/a", 60, "video/mp4", 'Über "uns".mp4', attachment=True)
    assert url is not None
    response = await client.get(url)
    assert (response.status_code, response.content) == (200, CONTENT)
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["content-disposition"] == (
        "attachment; filename=\"_ber _uns_.mp4\"; filename*=UTF-8''%C3%9Cber%20%22uns%22.mp4"
    )
    part = await client.get(url, headers={"range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, CONTENT[5:10])
    plain = await s3_storage.public_url("videos/a", 60)
    assert plain is not None
    assert (await client.get(plain)).headers["content-disposition"] == "inline"


async def test_a_public_url_is_version_four_and_bound(
    s3_storage: S3Storage, client: httpx.AsyncClient
) -> None:
    await s3_storage.put("a", CONTENT)
    await s3_storage.put("b", CONTENT)
    url = await s3_storage.public_url("a", 60, "video/mp4")
    assert url is not None
    parts = urlsplit(url)
    assert parse_qs(parts.query)["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert parse_qs(parts.query)["X-Amz-Expires"] == ["60"]
    for changed in (
        parts._replace(path=parts.path[:-1] + "b"),
        parts._replace(query=parts.query.replace("Expires=60", "Expires=61")),
        parts._replace(query=parts.query.replace("mp4", "mp5")),
        parts._replace(query=""),
    ):
        assert (await client.get(urlunsplit(changed))).status_code == 403
    assert (await client.put(url, content=b"x")).status_code == 403


async def test_a_public_url_expires(s3_storage: S3Storage, client: httpx.AsyncClient) -> None:
    await s3_storage.put("a", CONTENT)
    url = await s3_storage.public_url("a", 1)
    assert url is not None
    for _ in range(100):
        if (await client.get(url)).status_code == 403:
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("it still answers after 10 seconds")
    longest = await s3_storage.public_url("a", 10**9)
    assert longest is not None
    assert (await client.get(longest)).status_code == 200


async def test_browsers_may_know_another_address(
    s3_url: str, ceph_server: CephServer, client: httpx.AsyncClient
) -> None:
    public = f"http://localhost:{ceph_server.port}"
    storage = create_storage(f"{s3_url}&public_endpoint_url={public}")
    try:
        await storage.prepare()
        await storage.put("a", CONTENT)
        url = await storage.public_url("a", 60)
        assert url is not None
        assert url.startswith(public)
        assert (await client.get(url)).content == CONTENT
        assert (await storage.source("a")).startswith("http://127.0.0.1")
    finally:
        await storage.aclose()


async def test_what_is_outside_the_prefix_is_left_alone(s3_storage: S3Storage, s3_url: str) -> None:
    await s3_storage.put("a", b"mine")
    other = create_storage(s3_url.replace("/some/prefix", "/some"))
    try:
        assert [key async for key in other.list()] == ["prefix/a"]
        await other.put("prefixed/b", b"other")
        assert [key async for key in s3_storage.list()] == ["a"]
        await s3_storage.delete_prefix("a")
        assert await other.get("prefixed/b") == b"other"
    finally:
        await other.aclose()


async def test_a_bucket_that_is_full(s3_storage: S3Storage, ceph_server: CephServer, s3_url: str) -> None:
    """Each request is longer than the whole quota: how full the bucket is, this server knows only roughly."""
    await s3_storage.put("first", b"x" * MIB)
    bucket = urlsplit(s3_url).netloc.rpartition("@")[2]
    await asyncio.to_thread(ceph_server.limit_bucket, bucket, MIB)
    with pytest.raises(StorageFullError, match="QuotaExceeded"):
        await s3_storage.put("in-parts", b"y" * 4 * PART_BYTES)
    with pytest.raises(StorageFullError, match="QuotaExceeded"):
        await s3_storage.put("at-its-end", b"y" * (PART_BYTES + 2 * MIB))
    with pytest.raises(StorageFullError, match="QuotaExceeded"):
        await s3_storage.put("one-request", b"y" * 2 * MIB)
    assert [key async for key in s3_storage.list()] == ["first"]
    assert await s3_storage.remove_abandoned(-60) == 0


async def test_the_parts_of_a_dead_process_are_removed(s3_storage: S3Storage) -> None:
    clients = await s3_storage._clients()
    writer = S3Writer(clients.server, s3_storage._bucket, "some/prefix/orphan", "orphan")
    await writer.write(b"x" * (2 * PART_BYTES + 1))
    await asyncio.gather(*writer._sending)
    assert await s3_storage.remove_abandoned(older_than_seconds=3600) == 0
    assert await s3_storage.remove_abandoned(older_than_seconds=-60) == 1
    assert await s3_storage.remove_abandoned(older_than_seconds=-60) == 0


async def test_more_parts_than_s3_takes(s3_storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PARTS == 10_000
    monkeypatch.setattr("storage.s3_writer.MAX_PARTS", 2)
    await s3_storage.put("fits", b"x" * 2 * PART_BYTES)
    with pytest.raises(StorageFullError, match="longer than"):
        await s3_storage.put("too-large", b"x" * (2 * PART_BYTES + 1))
    assert await s3_storage.remove_abandoned(-60) == 0


async def test_writing_takes_little_memory(s3_storage: S3Storage) -> None:
    block = b"x" * MIB
    await s3_storage.put("warm", block)
    tracemalloc.start()
    try:
        async with s3_storage.writer("large") as writer:
            for _ in range(160):
                await writer.write(block)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 6 * PART_BYTES
    status = await s3_storage.stat("large")
    assert status is not None
    assert status.size_bytes == 160 * MIB


def test_one_storage_on_several_event_loops(s3_url: str) -> None:
    storage = create_storage(s3_url)

    async def use(number: int) -> bytes:
        await storage.prepare()
        await storage.put(f"{number}", b"x")
        found = await storage.get("0")
        await storage.aclose()
        await storage.aclose()
        return found

    assert [asyncio.run(use(number)) for number in range(3)] == [b"x"] * 3


async def test_the_client_is_kept(s3_storage: S3Storage) -> None:
    first, *others = await asyncio.gather(*(s3_storage._clients() for _ in range(5)))
    assert all(other is first for other in others)


async def test_wrong_credentials_and_missing_buckets(s3_url: str) -> None:
    for url, calls in (
        (s3_url.replace("framewise-tests:", "somebody:"), ("prepare", "put", "get", "stat", "list")),
        (s3_url.replace("lasts", "wrong"), ("prepare", "put", "get", "stat", "list")),
        (s3_url, ("put", "get", "list")),
    ):
        storage = create_storage(url)
        try:
            for name in calls:
                with pytest.raises(StorageConfigurationError) as caught:
                    await call(storage, name)
                assert "lasts" not in str(caught.value)
        finally:
            await storage.aclose()


async def call(storage: object, name: str) -> None:
    assert isinstance(storage, S3Storage)
    if name == "list":
        async with aclosing(storage.list()) as keys:
            async for _ in keys:
                pass
    elif name == "put":
        await storage.put("key", b"x")
    else:
        await getattr(storage, name)(*(["key"] if name in ("get", "stat") else []))


async def test_a_server_that_is_not_there() -> None:
    storage = create_storage("s3://key:secret@bucket?endpoint_url=http://127.0.0.1:9")
    try:
        with pytest.raises(StorageUnavailableError, match="did not answer"):
            await storage.put("key", b"x")
    finally:
        await storage.aclose()


async def test_no_server_address() -> None:
    storage = create_storage("s3://key:secret@bucket?endpoint_url=nonsense")
    with pytest.raises(StorageConfigurationError, match="nonsense"):
        await storage.put("key", b"x")
    await storage.aclose()
