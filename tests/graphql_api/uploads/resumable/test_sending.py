"""Files that come whole, in pieces, with interruptions: over disk and S3, SQLite and PostgreSQL."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from starlette.applications import Starlette

from domain.uploads.models import Upload
from domain.videos.models import Video
from graphql_api.relay import global_id
from graphql_api.uploads.resumable.endpoint import upload_routes
from storage.s3_writer import PART_BYTES
from tests.databases import PostgresServer
from tests.graphql_api.http_server import http_server
from tests.graphql_api.uploads.resumable.app import VERSION, App, Tus, checksum, open_patch
from tests.storage.conftest import needs_s3
from tests.storage.test_contract import MIB, leftovers, pattern


@pytest.fixture(params=["local", pytest.param("s3", marks=needs_s3)])
def storage_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def database_url(
    storage_kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[str]:
    """SQLite goes with the disk, PostgreSQL with S3."""
    if storage_kind == "local":
        yield f"sqlite://{tmp_path / 'test.sqlite3'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"test_{uuid4().hex}"
    await server.run(f"CREATE DATABASE {name}")
    yield server.url(name)
    await server.run(f"DROP DATABASE {name} WITH (FORCE)")


async def the_video(app: App, data: bytes) -> Video:
    """The only video there is, with this content."""
    video = await Video.all().get()
    assert (video.size_bytes, video.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert await app.storage.get(str(video.storage_key)) == data
    assert await leftovers(app.storage) == 0
    return video


@pytest.mark.parametrize(("size_bytes", "chunk_bytes"), [(9 * MIB + 5, 10**9), (2 * MIB + 1, 700_001)])
async def test_a_file_in_chunks(app: App, size_bytes: int, chunk_bytes: int) -> None:
    ada, data = await app.person(), pattern(size_bytes)
    response = await ada.send(data, chunk_bytes, "Über die Brücke.mp4")
    video = await the_video(app, data)
    assert video.filename == "Über die Brücke.mp4"
    assert response.headers["framewise-video"] == global_id("Video", video.id)
    assert response.headers["upload-offset"] == str(size_bytes)
    assert "upload-expires" not in response.headers


async def test_two_people_with_the_same_file_store_it_once(app: App) -> None:
    data = pattern(MIB)
    for name in ("ada", "bob"):
        await (await app.person(name)).send(data, 400_000)
    assert await Video.all().count() == 2
    assert len(await app.keys()) == 1
    assert await leftovers(app.storage) == 0


async def received(app: App, at_least: int, ada: Tus, url: str) -> int:
    """The offset, once so much is stored."""
    async with asyncio.timeout(60):
        while (row := await app.row()).offset_bytes < at_least:
            await asyncio.sleep(0.02)
    return row.offset_bytes


@pytest.mark.parametrize("sent_bytes", [100_000, PART_BYTES + 100_000])
async def test_a_client_that_goes_away_keeps_what_is_stored(app: App, sent_bytes: int) -> None:
    ada, data = await app.person(), pattern(PART_BYTES + 2 * MIB)
    url = await ada.create(len(data))
    connection = await open_patch(app, url, 0, len(data))
    await asyncio.get_running_loop().sock_sendall(connection, data[:sent_bytes])
    connection.close()
    assert await received(app, sent_bytes, ada, url) == sent_bytes
    assert await ada.offset(url) == sent_bytes
    assert (await ada.patch(url, sent_bytes, data[sent_bytes:])).status_code == 204
    await the_video(app, data)


async def test_a_later_request_takes_over_from_a_silent_one(app: App) -> None:
    """The former connection is still open, for all the server knows."""
    ada, data = await app.person(), pattern(3 * MIB)
    url = await ada.create(len(data))
    connection = await open_patch(app, url, 0, len(data))
    await asyncio.get_running_loop().sock_sendall(connection, data[:MIB])
    async with asyncio.timeout(60):
        while (offset := await ada.offset(url)) < 1000:
            connection.close()
            connection = await open_patch(app, url, offset, len(data) - offset)
            await asyncio.get_running_loop().sock_sendall(connection, data[offset:MIB])
            await asyncio.sleep(0.05)
    connection.close()
    if offset < 2 * MIB:
        silent = await open_patch(app, url, offset, len(data) - offset)
        assert (await ada.patch(url, await ada.offset(url), data[offset:])).status_code == 204
        silent.close()
    await the_video(app, data)


async def test_another_process_goes_on(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not know the hash of what came before; and the former one is refused."""
    ada, data = await app.person(), pattern(PART_BYTES + 3 * MIB)
    url = await ada.create(len(data))
    assert (await ada.patch(url, 0, data[: PART_BYTES + 5])).status_code == 204
    async with http_server(Starlette(routes=upload_routes(app.state))) as other:
        former = await open_patch(app, url, PART_BYTES + 5, len(data) - PART_BYTES - 5)
        await asyncio.sleep(0.1)
        elsewhere = other + url
        assert await ada.offset(elsewhere) == PART_BYTES + 5
        response = await ada.patch(elsewhere, PART_BYTES + 5, data[PART_BYTES + 5 : -1])
        assert response.status_code == 204
        await asyncio.get_running_loop().sock_sendall(former, b"x" * (3 * MIB - 5))
        answer = await asyncio.get_running_loop().sock_recv(former, 100)
        former.close()
        assert answer.startswith(b"HTTP/1.1 409")
        assert await ada.offset(url) == len(data) - 1
        assert (await ada.patch(url, len(data) - 1, data[-1:])).status_code == 204
    await the_video(app, data)


async def test_whoever_asks_completes_what_died_at_the_end(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphql_api.uploads.resumable import endpoint

    ada, data = await app.person(), pattern(MIB)
    url = await ada.create(len(data))

    async def die(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(endpoint, "complete_upload", die)
        assert (await ada.patch(url, 0, data)).status_code == 500
    assert await Video.all().count() == 0
    for _ in range(2):
        response = await app.http.head(url, headers=VERSION)
        assert (response.status_code, response.headers["upload-offset"]) == (200, str(MIB))
        assert response.headers["framewise-video"] == global_id("Video", (await the_video(app, data)).id)


async def test_checksums(app: App) -> None:
    ada, data = await app.person(), pattern(3000)
    url = await ada.create(len(data))
    for at, algorithm in enumerate(("sha1", "sha256", "md5")):
        chunk = data[at * 1000 : at * 1000 + 1000]
        wrong = await ada.patch(url, at * 1000, b"x" * 1000, **checksum(chunk, algorithm))
        assert wrong.status_code == 460
        assert await ada.offset(url) == at * 1000
        right = await ada.patch(url, at * 1000, chunk, **checksum(chunk, algorithm))
        assert right.status_code == 204, right.text
    await the_video(app, data)


async def test_a_chunk_with_a_checksum_that_breaks_off_is_not_kept(app: App) -> None:
    ada, data = await app.person(), pattern(1000)
    url = await ada.create(len(data))

    async def breaking_off() -> AsyncIterator[bytes]:
        yield data[:500]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await ada.patch(url, 0, breaking_off(), **checksum(data))
    assert await ada.offset(url) == 0
    assert (await ada.patch(url, 0, data, **checksum(data))).status_code == 204
    await the_video(app, data)


async def test_termination(app: App) -> None:
    ada = await app.person()
    url = await ada.create(2 * PART_BYTES)
    await ada.patch(url, 0, pattern(PART_BYTES + 5))
    assert (await app.http.delete(url, headers=VERSION)).status_code == 204
    for answer in (
        await app.http.head(url, headers=VERSION),
        await ada.patch(url, PART_BYTES + 5, b"x"),
        await app.http.delete(url, headers=VERSION),
    ):
        assert answer.status_code == 404
    assert await Upload.all().count() == 0
    assert await app.keys() == []
    assert await leftovers(app.storage) == 0


async def test_the_video_of_a_complete_upload_outlives_its_termination(app: App) -> None:
    ada, data = await app.person(), pattern(1000)
    response = await ada.send(data, 1000)
    assert (await app.http.delete(response.url, headers=VERSION)).status_code == 204
    assert (await app.http.head(response.url, headers=VERSION)).status_code == 404
    await the_video(app, data)
