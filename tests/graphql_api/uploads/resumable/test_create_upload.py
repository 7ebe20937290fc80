"""`createUpload` and `upload`: over SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.account_deletion import delete_account
from domain.accounts.models import User
from domain.analyses.models import Analysis
from domain.removals import process_removals
from domain.uploads.models import Upload
from domain.videos.models import Video
from graphql_api.uploads.resumable import endpoint
from tests.graphql_api.full_app import PASSWORD, FullApp, Person
from tests.graphql_api.uploads.resumable.app import CHUNK, VERSION

CREATE = """mutation($input: CreateUploadInput!) { createUpload(input: $input) {
  upload { id url filename sizeBytes offsetBytes expiresAt video { id } } userErrors { code message path } } }"""
FIND = "query($id: ID!) { upload(id: $id) { id offsetBytes video { id filename } } node(id: $id) { id } }"
HAAR = {"mlModel": "opencv-haar-face", "tracker": "SORT", "labels": ["face"]}


@pytest.fixture
async def app(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FullApp]:
    async def no_ring() -> bool:
        return True

    monkeypatch.setattr(endpoint, "ring", no_ring)
    async with FullApp(
        tmp_path,
        max_upload_bytes=1000,
        max_unfinished_analyses_per_user=2,
        max_open_uploads_per_user=5,
        min_free_bytes=0,
    ) as app:
        yield app


async def create(person: Person, **changes: Any) -> dict[str, Any]:
    given = {"filename": "clip.mp4", "sizeBytes": 5, **changes}
    return (await person.data(CREATE, input=given))["createUpload"]


async def send(app: FullApp, url: str, data: bytes = b"12345", offset: int = 0) -> httpx.Response:
    return await app.http.patch(url, content=data, headers=CHUNK | {"Upload-Offset": str(offset)})


async def test_from_the_mutation_to_the_video(app: FullApp) -> None:
    ada = await app.person()
    payload = await create(ada, filename="../Über.mp4", analyze=HAAR)
    upload = payload["upload"]
    assert payload["userErrors"] == []
    assert (upload["filename"], upload["sizeBytes"], upload["offsetBytes"]) == ("Über.mp4", 5, 0)
    assert upload["url"].startswith("http://testserver/uploads/")
    assert upload["video"] is None
    assert (await send(app, upload["url"], b"123")).status_code == 204
    found = await ada.data(FIND, id=upload["id"])
    assert found == {
        "upload": {"id": upload["id"], "offsetBytes": 3, "video": None},
        "node": {"id": upload["id"]},
    }
    response = await send(app, upload["url"], b"45", 3)
    video = (await ada.data(FIND, id=upload["id"]))["upload"]["video"]
    assert video == {"id": response.headers["framewise-video"], "filename": "Über.mp4"}
    analysis = await Analysis.all().get()
    assert (analysis.ml_model, analysis.tracker, analysis.labels) == ("opencv-haar-face", "SORT", ["face"])
    assert analysis.video_id == (await Video.all().get()).id


async def test_uploads_of_others(app: FullApp) -> None:
    ada, bob = await app.person("ada"), await app.person("bob")
    upload = (await create(ada))["upload"]
    assert await bob.data(FIND, id=upload["id"]) == {"upload": None, "node": None}
    assert (await ada.data(FIND, id="nonsense"))["upload"] is None
    nobody = Person(app.http, "")
    nobody.headers = {}
    for query, variables in (
        (FIND, {"id": upload["id"]}),
        (CREATE, {"input": {"filename": "x", "sizeBytes": 1}}),
    ):
        answer = await nobody.execute(query, **variables)
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


REFUSED: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"sizeBytes": 0}, "INVALID", ["input", "sizeBytes"]),
    ({"sizeBytes": -5}, "INVALID", ["input", "sizeBytes"]),
    ({"sizeBytes": 1001}, "LIMIT_EXCEEDED", ["input", "sizeBytes"]),
    ({"idempotencyKey": ""}, "INVALID", ["input", "idempotencyKey"]),
    ({"idempotencyKey": "x" * 256}, "INVALID", ["input", "idempotencyKey"]),
    ({"analyze": {"mlModel": "none"}}, "MODEL_UNAVAILABLE", ["input", "analyze", "mlModel"]),
    ({"analyze": HAAR | {"frameStride": 0}}, "INVALID", ["input", "analyze", "frameStride"]),
]


async def test_what_is_refused(app: FullApp) -> None:
    ada = await app.person()
    for changes, code, path in REFUSED:
        payload = await create(ada, **changes)
        [error] = payload["userErrors"]
        assert (error["code"], error["path"], payload["upload"]) == (code, path, None)
    assert await Upload.all().count() == 0


async def test_requests_at_once_do_not_pass_the_limit_together(app: FullApp) -> None:
    ada = await app.person()
    payloads = await asyncio.gather(*(create(ada) for _ in range(9)))
    errors = [payload["userErrors"][0] for payload in payloads if payload["userErrors"]]
    assert len(errors) == 4
    assert all("max_open_uploads_per_user" in error["message"] for error in errors)


async def test_identical_requests_at_once_give_one_upload(app: FullApp) -> None:
    ada = await app.person()
    payloads = await asyncio.gather(*(create(ada, idempotencyKey="k") for _ in range(9)))
    assert len({payload["upload"]["id"] for payload in payloads}) == 1


async def test_a_repeated_request_gives_the_same_upload(app: FullApp) -> None:
    ada, bob = await app.person("ada"), await app.person("bob")
    first = (await create(ada, idempotencyKey="k", analyze=HAAR))["upload"]
    await send(app, first["url"])
    again = (await create(ada, idempotencyKey="k", analyze=HAAR | {"frameStride": 1}))["upload"]
    assert (again["id"], again["offsetBytes"]) == (first["id"], 5)
    assert again["video"] is not None
    for changes in ({"sizeBytes": 6}, {"filename": "other.mp4"}, {"analyze": None}):
        payload = await create(ada, **{"idempotencyKey": "k", "analyze": HAAR} | changes)
        [error] = payload["userErrors"]
        assert (error["code"], error["path"]) == ("IDEMPOTENCY_MISMATCH", ["input", "idempotencyKey"])
    assert (await create(bob, idempotencyKey="k"))["upload"]["id"] != first["id"]
    await Upload.all().update(expires_at=datetime.now(UTC))
    assert (await create(ada, idempotencyKey="k", sizeBytes=6))["upload"]["id"] != first["id"]
    assert await Video.all().count() == 1


async def test_an_analysis_that_cannot_be_started_is_told_and_the_video_stays(app: FullApp) -> None:
    ada = await app.person()
    uploads = [(await create(ada, analyze=HAAR))["upload"] for _ in range(3)]
    answers = [await send(app, upload["url"], b"1234%d" % at) for at, upload in enumerate(uploads)]
    assert [answer.status_code for answer in answers] == [204] * 3
    assert "max_unfinished_analyses_per_user" in answers[2].headers["framewise-problem"]
    assert await Analysis.all().count() == 2
    assert await Video.all().count() == 3
    payload = await create(ada, analyze=HAAR)
    assert "max_unfinished_analyses_per_user" in payload["userErrors"][0]["message"]


async def test_uploads_go_with_their_account(app: FullApp) -> None:
    ada, bob = await app.person("ada"), await app.person("bob")
    for person in (ada, bob):
        for data in (b"123", b"12345"):
            await send(app, (await create(person))["upload"]["url"], data)
    kept = (await create(bob))["upload"]
    await send(app, kept["url"], b"12")
    user = await User.get(username="ada")
    await delete_account(app.storage, user, PASSWORD, late_write_seconds=0)
    await process_removals(app.storage)
    assert await Upload.filter(owner_id=user.id).count() == 0
    assert await Upload.all().count() == 3
    unfinished = [path for path in (app.storage._folder / ".partial").rglob("*") if path.is_file()]
    assert len([path for path in unfinished if not path.name.startswith(".")]) == 2
    assert (await app.http.head(kept["url"], headers=VERSION)).headers["upload-offset"] == "2"


async def test_a_deleted_video_leaves_its_upload_without_one(app: FullApp) -> None:
    ada = await app.person()
    upload = (await create(ada))["upload"]
    await send(app, upload["url"])
    await Video.all().delete()
    found = (await ada.data(FIND, id=upload["id"]))["upload"]
    assert (found["offsetBytes"], found["video"]) == (5, None)


async def test_the_uploads_that_are_not_finished(app: FullApp) -> None:
    ada, bob = await app.person(), await app.person("bob")
    made = [
        (await ada.data(CREATE, input={"filename": f"{at}.mp4", "sizeBytes": 4}))["createUpload"]["upload"]
        for at in range(4)
    ]
    await send(app, made[1]["url"], b"done")
    await Upload.filter(filename="2.mp4").update(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    page = "query($after: String) { uploads(first: 1, after: $after) { edges { node { id url } cursor } } }"
    [first] = (await ada.data(page))["uploads"]["edges"]
    [second] = (await ada.data(page, after=first["cursor"]))["uploads"]["edges"]
    assert [edge["node"] for edge in (first, second)] == [
        {"id": made[at]["id"], "url": made[at]["url"]} for at in (3, 0)
    ]
    assert (await ada.data(page, after=second["cursor"]))["uploads"]["edges"] == []
    assert (await bob.data(page))["uploads"]["edges"] == []
