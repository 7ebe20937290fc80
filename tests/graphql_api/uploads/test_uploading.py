"""Uploads over GraphQL: one file for the same bytes, and requests that are repeated."""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from domain.analyses.models import Analysis
from domain.videos import service
from domain.videos.models import Video
from graphql_api.uploads import videos as video_uploads
from tests.graphql_api.full_app import FullApp

ONE, TWO = ("one.mp4", b"first"), ("two.mp4", b"second")
HAAR = {"mlModel": "opencv-haar-face"}


@pytest.fixture
async def app(database, tmp_path, monkeypatch):
    async def no_ring():
        pass

    monkeypatch.setattr(video_uploads, "ring", no_ring)
    async with FullApp(tmp_path, max_upload_bytes=1000, max_videos_per_user=5) as app:
        yield app


def without_links(payload):
    return {**payload, "videos": [video["id"] for video in payload["videos"]]}


async def test_the_same_bytes_are_stored_once_and_nobody_can_tell(app):
    ada, bob = await app.person("ada"), await app.person("bob")
    theirs = (await ada.upload(ONE))["videos"][0]
    await Video.all().update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
    mine = (await bob.upload(("other name.mp4", ONE[1])))["videos"][0]
    assert len(await app.keys("uploads")) == 1
    rows = {row.filename: row for row in await Video.all()}
    assert rows["one.mp4"].storage_key == rows["other name.mp4"].storage_key
    answers = [await app.http.get(video["url"]) for video in (theirs, mine)]
    assert [answer.content for answer in answers] == [ONE[1], ONE[1]]
    times = [parsedate_to_datetime(answer.headers["last-modified"]).year for answer in answers]
    assert times == [2020, rows["other name.mp4"].created_at.year]
    assert answers[0].headers["etag"] != answers[1].headers["etag"]
    for video in (theirs, mine):
        assert str(rows["one.mp4"].storage_key) not in video["url"]


async def test_a_link_ends_with_its_video_although_another_has_the_file(app):
    ada, bob = await app.person("ada"), await app.person("bob")
    theirs, mine = [(await one.upload(ONE))["videos"][0] for one in (ada, bob)]
    deleted = await bob.data("mutation($id: ID!) { deleteVideo(id: $id) { deletedId } }", id=mine["id"])
    assert deleted["deleteVideo"]["deletedId"] == mine["id"]
    assert (await app.http.get(mine["url"])).status_code == 404
    assert (await app.http.get(theirs["url"])).content == ONE[1]


async def test_a_repeated_request_gives_the_first_answer(app):
    ada = await app.person()
    first = await ada.upload(ONE, TWO, analyze=HAAR, idempotencyKey="k")
    assert (len(first["videos"]), len(first["analyses"]), first["userErrors"]) == (2, 2, [])
    again = await ada.upload(ONE, TWO, analyze={**HAAR, "frameStride": 1}, idempotencyKey="k")
    assert without_links(again) == without_links(first)
    assert (await Video.all().count(), await Analysis.all().count()) == (2, 2)
    assert len(await app.keys("uploads")) == 2
    without = await ada.upload(ONE, TWO)
    assert len(without["videos"]) == 2
    assert await Video.all().count() == 4


@pytest.mark.parametrize(
    ("files", "analyze"),
    [
        ([("one.mp4", b"other"), TWO], HAAR),
        ([("renamed.mp4", ONE[1]), TWO], HAAR),
        ([TWO, ONE], HAAR),
        ([ONE], HAAR),
        ([ONE, TWO, ONE], HAAR),
        ([ONE, TWO], None),
        ([ONE, TWO], {**HAAR, "frameStride": 2}),
    ],
)
async def test_another_input_with_the_same_key_is_an_error(app, files, analyze):
    ada, bob = await app.person("ada"), await app.person("bob")
    await ada.upload(ONE, TWO, analyze=HAAR, idempotencyKey="k")
    payload = await ada.upload(*files, analyze=analyze, idempotencyKey="k")
    [error] = payload["userErrors"]
    assert (error["code"], error["path"]) == ("IDEMPOTENCY_MISMATCH", ["idempotencyKey"])
    assert (payload["videos"], payload["analyses"]) == ([], [])
    assert await Video.all().count() == 2
    assert len(await app.keys("uploads")) == 2
    assert (await bob.upload(*files, analyze=analyze, idempotencyKey="k"))["userErrors"] == []


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_that_cannot_be_kept_is_refused(app, key):
    ada = await app.person()
    [error] = (await ada.upload(ONE, idempotencyKey=key))["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID", ["idempotencyKey"])
    assert await app.keys() == []
    assert (await ada.upload(ONE, idempotencyKey="ü" * 255))["userErrors"] == []


async def test_a_request_that_died_halfway_is_completed(app, monkeypatch):
    ada = await app.person()
    create = service.create_video
    calls = []

    async def dies_at_the_second(*args, **options):
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return await create(*args, **options)

    monkeypatch.setattr(service, "create_video", dies_at_the_second)
    with pytest.raises(AssertionError, match="INTERNAL"):
        await ada.upload(ONE, TWO, analyze=HAAR, idempotencyKey="k")
    assert await Video.all().count() == 1
    payload = await ada.upload(ONE, TWO, analyze=HAAR, idempotencyKey="k")
    assert (len(payload["videos"]), len(payload["analyses"]), payload["userErrors"]) == (2, 2, [])
    assert (await Video.all().count(), await Analysis.all().count()) == (2, 2)


async def test_identical_requests_at_once_give_one_answer(app):
    ada = await app.person()
    payloads = await asyncio.gather(
        *(ada.upload(ONE, TWO, analyze=HAAR, idempotencyKey="k") for _ in range(5))
    )
    assert [without_links(payload) for payload in payloads] == [without_links(payloads[0])] * 5
    assert (await Video.all().count(), await Analysis.all().count()) == (2, 2)
    assert len(await app.keys("uploads")) == 2


async def test_what_was_turned_away_is_turned_away_again(app):
    ada = await app.person()
    files = [ONE, ("big.mp4", b"x" * 1001)]
    first = await ada.upload(*files, analyze=HAAR, idempotencyKey="k")
    assert [video["status"] for video in first["videos"]] == ["PROBING", "REJECTED"]
    assert [(error["code"], error["path"]) for error in first["userErrors"]] == [
        ("LIMIT_EXCEEDED", ["files", "1"])
    ]
    again = await ada.upload(*files, analyze=HAAR, idempotencyKey="k")
    assert without_links(again) == without_links(first)


async def test_a_video_over_the_limit_leaves_no_file(app):
    ada = await app.person()
    payload = await ada.upload(*((f"{number}.mp4", b"%d" % number) for number in range(7)))
    assert [error["path"] for error in payload["userErrors"]] == [["files", "5"], ["files", "6"]]
    assert len(await app.keys("uploads")) == 5


async def test_one_uploaded_file_in_two_places_is_two_videos(app):
    ada = await app.person()
    payload = await ada.upload(ONE, ONE)
    assert len({video["id"] for video in payload["videos"]}) == 2
    assert len(await app.keys("uploads")) == 1


async def test_a_file_that_was_lost_is_back_when_it_is_uploaded_again(app):
    ada, bob = await app.person("ada"), await app.person("bob")
    theirs = (await ada.upload(ONE))["videos"][0]
    [lost] = await app.keys("uploads")
    await app.storage.delete(lost)
    assert (await app.http.get(theirs["url"])).status_code == 404
    mine = (await bob.upload(ONE))["videos"][0]
    for video in (theirs, mine):
        assert (await app.http.get(video["url"])).content == ONE[1]
    assert len(await app.keys("uploads")) == 1
