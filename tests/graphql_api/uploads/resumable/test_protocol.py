"""What tus says about requests and answers, and what is refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.accounts.models import User
from domain.uploads.deletion import delete_expired_uploads
from domain.uploads.models import Upload
from domain.uploads.service import unfinished_keys
from domain.videos.models import Video
from graphql_api.uploads.resumable.urls import upload_of, upload_path
from storage.errors import StorageFullError, StorageUnavailableError
from storage.local import LocalStorage
from storage.local_appender import LocalAppender
from tests.graphql_api.uploads.resumable.app import (
    CHUNK,
    SECRET,
    VERSION,
    App,
    checksum,
    encoded,
    open_patch,
    running,
)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """What is shown here is the same on every database."""
    return f"sqlite://{tmp_path / 'test.sqlite3'}"


@pytest.fixture
def app(local_app: App) -> App:
    return local_app


def code(response: httpx.Response) -> tuple[int, str]:
    [error] = response.json()["errors"]
    assert error["message"]
    return response.status_code, error["extensions"].get("limit") or error["extensions"]["code"]


async def test_what_the_server_can_do(app: App) -> None:
    ada = await app.person()
    url = await ada.create(5)
    for place in ("/uploads", url):
        response = await app.http.options(place)
        assert response.status_code == 204
        assert response.headers["tus-resumable"] == response.headers["tus-version"] == "1.0.0"
        assert (
            response.headers["tus-extension"]
            == "creation,creation-with-upload,expiration,checksum,termination"
        )
        assert response.headers["tus-max-size"] == "1000"
        assert response.headers["tus-checksum-algorithm"] == "sha1,sha256,md5"


async def test_head_tells_all(app: App) -> None:
    ada = await app.person()
    created = await ada.post(
        10, Upload_Metadata=f"filename {encoded('ünï.mp4')},is_empty,filetype {encoded('video/mp4')}"
    )
    assert created.status_code == 201
    response = await app.http.head(created.headers["location"], headers=VERSION)
    headers = response.headers
    assert (response.status_code, response.content) == (200, b"")
    assert (headers["upload-offset"], headers["upload-length"]) == ("0", "10")
    assert headers["upload-metadata"] == f"filename {encoded('ünï.mp4')}"
    assert headers["cache-control"] == "no-store"
    expires = parsedate_to_datetime(headers["upload-expires"])
    assert timedelta(hours=23) < expires - datetime.now(UTC) <= timedelta(hours=24)


async def test_another_version_is_refused(app: App) -> None:
    ada = await app.person()
    url = await ada.create(5)
    for headers in ({}, {"Tus-Resumable": "0.2.2"}):
        for method, place in (("POST", "/uploads"), ("PATCH", url), ("HEAD", url), ("DELETE", url)):
            response = await app.http.request(method, place, headers=headers | ada.token)
            assert response.status_code == 412, method
            assert response.headers["tus-version"] == "1.0.0"
    assert await ada.offset(url) == 0


async def test_only_a_signed_in_user_begins_an_upload(app: App) -> None:
    ada = await app.person()
    for token in ({}, {"Authorization": "Bearer nonsense"}):
        ada.token = token
        response = await ada.post(5)
        assert code(response) == (401, "UNAUTHENTICATED")
        assert response.headers["www-authenticate"] == "Bearer"
    assert await Upload.all().count() == 0


async def test_the_url_is_the_right(app: App) -> None:
    """It works without a token and with an expired one; nobody can make one up."""
    ada = await app.person()
    url = await ada.create(3)
    assert (await ada.patch(url, 0, b"abc", Authorization="Bearer expired")).status_code == 204
    row = await app.row()
    assert url == upload_path(row.id, SECRET)
    assert upload_path(row.id, b"t" * 32) != url
    for name in (
        str(row.id),
        upload_path(row.id, b"t" * 32).rpartition("/")[2],
        url.rpartition("/")[2][:-1] + ("A" if url[-1] != "A" else "B"),
        "x" * 44,
        "ä" * 44,
        "",
        "A" * 5000,
    ):
        assert upload_of(name, SECRET) is None
        response = await app.http.head(f"/uploads/{name}", headers=VERSION)
        assert response.status_code in (404, 405)


MALFORMED_CREATIONS = [
    {"Upload-Length": "-1"},
    {"Upload-Length": "abc"},
    {"Upload-Length": "1.5"},
    {"Upload-Length": "9" * 19},
    {"Upload-Length": "٣"},
    {"Upload-Length": "0"},
    {"Upload-Length": ""},
    {"Upload-Defer-Length": "1"},
    {"Upload-Concat": "partial"},
    {"Upload-Metadata": "filename not-base64!"},
    {"Upload-Metadata": "filename YQ==,filename YQ=="},
    {"Upload-Metadata": "\xfc YQ=="},
    {"Upload-Checksum": "crc32 YQ=="},
    {"Upload-Checksum": "sha1"},
    {"Upload-Checksum": "sha1 !!!"},
]


async def test_malformed_headers_of_a_creation(app: App) -> None:
    ada = await app.person()
    for headers in MALFORMED_CREATIONS:
        given = VERSION | ada.token | {"Upload-Length": "5"} | headers
        raw = [(name.encode(), value.encode()) for name, value in given.items()]
        response = await app.http.post("/uploads", headers=raw)
        assert response.status_code == 400, (headers, response.text)
    assert await Upload.all().count() == 0


MALFORMED_CHUNKS = [
    ({"Upload-Offset": "1"}, 409),
    ({"Upload-Offset": "x"}, 400),
    ({"Upload-Offset": "-1"}, 400),
    ({"Content-Type": "video/mp4"}, 415),
    ({"Content-Type": ""}, 415),
    ({"Upload-Checksum": "crc32 AAAA"}, 400),
]


async def test_malformed_chunks(app: App) -> None:
    ada = await app.person()
    url = await ada.create(5)
    for headers, status in MALFORMED_CHUNKS:
        given = CHUNK | {"Upload-Offset": "0"} | headers
        response = await app.http.patch(url, content=b"abc", headers=given)
        assert response.status_code == status, headers
    assert (await app.http.patch(url, content=b"abc", headers=CHUNK)).status_code == 400
    assert await ada.offset(url) == 0


async def test_more_than_was_announced(app: App) -> None:
    ada = await app.person()
    url = await ada.create(5)
    await ada.patch(url, 0, b"ab")

    async def endless() -> Any:
        for _ in range(50):
            yield b"xxx"

    for content in (b"cdef", endless()):
        assert (await ada.patch(url, 2, content)).status_code == 413
    assert await ada.offset(url) == 2
    assert await Video.all().count() == 0


async def test_other_methods(app: App) -> None:
    ada = await app.person()
    url = await ada.create(5)
    for method, place in (
        ("GET", url),
        ("PUT", url),
        ("POST", url),
        ("GET", "/uploads"),
        ("PATCH", "/uploads"),
    ):
        response = await app.http.request(method, place, headers=VERSION)
        assert response.status_code == 405
        assert "OPTIONS" in response.headers["allow"]


async def test_methods_behind_a_post(app: App) -> None:
    ada = await app.person()
    url = await ada.create(5)
    override = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}
    assert (await app.http.post(url, content=b"abc", headers=CHUNK | override)).status_code == 204
    assert await ada.offset(url) == 3
    override = {"X-HTTP-Method-Override": "DELETE"}
    assert (await app.http.post(url, headers=VERSION | override)).status_code == 204
    assert await Upload.all().count() == 0


async def test_creation_with_upload(app: App) -> None:
    ada = await app.person()
    chunk = {"Content_Type": "application/offset+octet-stream"}
    part = await ada.post(6, b"abc", **chunk)
    assert (part.status_code, part.headers["upload-offset"]) == (201, "3")
    assert (await ada.patch(part.headers["location"], 3, b"def")).status_code == 204
    whole = await ada.post(6, b"abcdef", **chunk, **checksum(b"abcdef"))
    assert (whole.status_code, whole.headers["upload-offset"]) == (201, "6")
    assert whole.headers["framewise-video"]
    assert await Video.all().count() == 2
    assert (await ada.post(2, b"abc", **chunk)).status_code == 413
    assert (await ada.post(3, b"abc", **chunk, **checksum(b"other"))).status_code == 460
    assert (await ada.post(3, b"", **chunk)).headers["upload-offset"] == "0"


async def test_limits(app: App) -> None:
    ada = await app.person()
    assert code(await ada.post(1001)) == (413, "max_upload_bytes")
    urls = [await ada.create(5) for _ in range(3)]
    assert code(await ada.post(5)) == (403, "max_open_uploads_per_user")
    assert (await (await app.person("bob")).post(5)).status_code == 201
    await ada.patch(urls[0], 0, b"12345")
    urls.append(await ada.create(5))
    await app.http.delete(urls[1], headers=VERSION)
    for number in (2, 3):
        await ada.patch(urls[number], 0, b"1234%d" % number)
    assert await Video.all().count() == 3
    for _ in range(2):
        await ada.create(5)
    assert code(await ada.post(5)) == (403, "max_videos_per_user")


async def test_the_rate(
    database: str, tmp_path: Path, local_storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, local_storage, monkeypatch, mutation_rate_per_user="2/hour") as app:
        ada = await app.person()
        for _ in range(2):
            await ada.create(5)
        response = await ada.post(5)
        assert code(response) == (429, "mutation_rate_per_user")
        wait_seconds = int(response.headers["retry-after"])
        assert 1 < wait_seconds <= 3600
        assert f"in {wait_seconds} seconds" in response.json()["errors"][0]["message"]


async def test_a_video_too_many_is_told_and_may_be_tried_again(app: App) -> None:
    ada = await app.person()
    url = await ada.create(5)
    owner = await User.all().get()
    for number in range(5):
        await Video.create(owner_id=owner.id, title="x", filename="x", size_bytes=1, sha256=str(number))
    assert code(await ada.patch(url, 0, b"12345")) == (403, "max_videos_per_user")
    assert (await app.http.head(url, headers=VERSION)).status_code == 403
    await Video.filter(sha256="0").delete()
    response = await app.http.head(url, headers=VERSION)
    assert (response.status_code, response.headers["upload-offset"]) == (200, "5")
    assert await Video.filter(storage_key__isnull=False).count() == 1


async def test_expired_uploads(app: App) -> None:
    ada = await app.person()
    expired, complete, kept = [await ada.create(5) for _ in range(3)]
    await ada.patch(expired, 0, b"123")
    await ada.patch(complete, 0, b"12345")
    first = upload_of(expired.rpartition("/")[2], SECRET)
    done = upload_of(complete.rpartition("/")[2], SECRET)
    await Upload.filter(id__in=[first, done]).update(expires_at=datetime.now(UTC))
    for answer in (
        await app.http.head(expired, headers=VERSION),
        await ada.patch(expired, 3, b"45"),
        await app.http.head(complete, headers=VERSION),
    ):
        assert answer.status_code == 410
    assert await delete_expired_uploads() == 2
    assert (await app.http.head(expired, headers=VERSION)).status_code == 404
    assert await ada.offset(kept) == 0
    assert await Video.all().count() == 1
    assert await unfinished_keys() == {(await app.row()).storage_key}


async def test_bytes_put_the_expiry_off(app: App) -> None:
    ada = await app.person()
    url = await ada.create(5)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    await Upload.all().update(expires_at=soon)
    await ada.patch(url, 0, b"1")
    assert (await app.row()).expires_at > soon + timedelta(hours=1)


async def test_a_silent_client_is_cut_off(
    database: str, tmp_path: Path, local_storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, local_storage, monkeypatch, idle_seconds=0.2) as app:
        ada = await app.person()
        url = await ada.create(10)

        connection = await open_patch(app, url, 0, 10)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, b"123")
        async with asyncio.timeout(60):
            answer = await loop.sock_recv(connection, 1000)
        connection.close()
        assert answer.startswith(b"HTTP/1.1 503")
        assert await ada.offset(url) == 3


@pytest.mark.parametrize(
    ("error", "status"),
    [(StorageFullError("full"), 507), (StorageUnavailableError("away"), 503), (RuntimeError("bug"), 500)],
)
async def test_a_storage_that_fails_keeps_what_it_has(
    app: App, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    ada = await app.person()
    url = await ada.create(6)
    await ada.patch(url, 0, b"abc")

    async def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(LocalAppender, "write", fail)
        response = await ada.patch(url, 3, b"def")
    assert response.status_code == status
    assert "bug" not in response.text
    assert await ada.offset(url) == 3
    assert (await ada.patch(url, 3, b"def")).status_code == 204
    assert (await Video.all().get()).size_bytes == 6


async def test_no_room(
    database: str, tmp_path: Path, local_storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, local_storage, monkeypatch, max_upload_bytes=2**62) as app:
        ada = await app.person()
        url = await ada.create(6)
        free_bytes = await local_storage.free_bytes()
        assert free_bytes is not None
        assert code(await ada.post(2 * free_bytes)) == (507, "min_free_bytes")

        async def none_left(_self: object) -> int:
            return 2

        monkeypatch.setattr(LocalStorage, "free_bytes", none_left)
        assert code(await ada.patch(url, 0, b"abcdef")) == (507, "min_free_bytes")
        assert (await ada.patch(url, 0, b"ab")).status_code == 204


async def test_what_is_gone_from_the_storage_has_to_be_begun_anew(app: App) -> None:
    ada = await app.person()
    url = await ada.create(6)
    await ada.patch(url, 0, b"abc")
    await app.storage.discard_unfinished(str((await app.row()).storage_key))
    assert (await ada.patch(url, 3, b"def")).status_code == 410
    assert (await app.http.head(url, headers=VERSION)).status_code == 404


async def test_an_account_that_is_gone(app: App) -> None:
    ada = await app.person()
    url = await ada.create(6)
    await ada.patch(url, 0, b"abc")
    await User.all().delete()
    assert (await ada.patch(url, 3, b"def")).status_code == 404
    assert await Video.all().count() == 0


async def test_a_creation_with_a_body_of_another_kind(app: App) -> None:
    ada = await app.person()
    assert code(await ada.post(5, b"12345", Content_Type="video/mp4"))[0] == 415
    assert await Upload.all().count() == 0
    assert (await ada.post(5, b"", Content_Type="video/mp4")).status_code == 201
