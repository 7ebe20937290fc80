"""Requests with files that cannot be executed are answered before anything of a file is stored."""

import json

import pytest

from graphql_api.uploads import videos as video_uploads
from tests.graphql_api.full_app import UPLOAD, FullApp
from tests.graphql_api.uploads.multipart.forms import BOUNDARY, part


@pytest.fixture
async def app(database, tmp_path, monkeypatch):
    async def no_ring():
        pass

    monkeypatch.setattr(video_uploads, "ring", no_ring)
    async with FullApp(tmp_path, max_videos_per_user=1) as app:
        yield app


class Refusal:
    """Sends a request whose file has no end; the answer must come before."""

    def __init__(self, app, person):
        self.app = app
        self.person = person
        self.megabytes = 0

    async def __call__(self, query, variables, places=None, **fields):
        async def body():
            operations = {"query": query, "variables": variables, **fields}
            yield part("operations", json.dumps(operations))
            yield part("map", json.dumps({"0": places or ["variables.files.0"]}))
            yield part("0", b"", "0.mp4")[:-2]
            while True:
                self.megabytes += 1
                yield b"x" * 2**20
                assert self.megabytes < 10, "the file is read"

        stored = await self.app.keys()
        headers = {**self.person.headers, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        response = await self.app.http.post("/graphql", content=body(), headers=headers)
        assert await self.app.keys() == stored
        return response


@pytest.fixture
async def refused(app):
    return Refusal(app, await app.person())


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        ("mutation {", {"files": [None]}, "Syntax Error"),
        (
            "mutation($files: [Upload!]!) { uploadVideo(files: $files) { x } }",
            {"files": [None]},
            "Cannot query",
        ),
        (UPLOAD, {"files": [None], "analyze": 5}, "analyze"),
        (UPLOAD, {"files": [None], "idempotencyKey": []}, "idempotencyKey"),
        (UPLOAD, {"files": [None, None]}, "files"),
        (UPLOAD.replace("id status url", "a: id " * 101), {"files": [None]}, "max_query"),
        ("{" + "a {" * 20 + "a" + "}" * 21, {"files": [None]}, "max_query_depth"),
    ],
)
async def test_what_cannot_be_executed_is_answered_unread(refused, query, variables, message):
    response = await refused(query, variables)
    assert response.status_code == 200, response.text
    assert "data" not in response.json()
    assert message in json.dumps(response.json()["errors"])


@pytest.mark.parametrize(
    ("query", "variables", "places"),
    [
        ("query($files: [Upload!]!) { __typename @skip(if: $files) }", {"files": [None]}, None),
        ("{ __typename }", {"files": [None]}, None),
        ("mutation($id: ID!) { deleteVideo(id: $id) { deletedId } }", {"id": None}, ["variables.id"]),
        (UPLOAD, {"files": [], "idempotencyKey": None}, ["variables.idempotencyKey"]),
        (UPLOAD, {"files": [], "other": [None]}, ["variables.other.0"]),
    ],
)
async def test_files_where_none_belong_are_refused_unread(refused, query, variables, places):
    response = await refused(query, variables, places)
    assert "errors" in response.json()
    assert response.status_code in (200, 400)


async def test_a_full_quota_is_told_before_the_file_is_read(app, refused):
    await refused.person.upload(("first.mp4", b"first"))
    response = await refused(UPLOAD, {"files": [None]})
    assert response.status_code == 413
    assert response.json()["errors"][0]["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "limit": "max_videos_per_user",
    }


async def test_wrong_settings_are_told_before_the_file_is_read(refused):
    for query, variables in (
        (UPLOAD, {"files": [None], "analyze": {"frameStride": 0}}),
        (UPLOAD.replace("$analyze,", "{minConfidence: 7},"), {"files": [None]}),
    ):
        query = query.replace(", $analyze: AnalysisSettingsInput", "") if "7" in query else query
        response = await refused(query, variables)
        (error,) = response.json()["data"]["uploadVideos"]["userErrors"]
        assert error["code"] == "INVALID"


async def test_too_many_uploads_are_told_before_the_file_is_read(database, tmp_path, monkeypatch):
    async def no_ring():
        pass

    monkeypatch.setattr(video_uploads, "ring", no_ring)
    async with FullApp(tmp_path, mutation_rate_per_user="2/hour") as app:
        person = await app.person()
        for number in range(2):  # each is counted once
            payload = await person.upload((f"{number}.mp4", b"%d" % number))
            assert payload["userErrors"] == []
        response = await Refusal(app, person)(UPLOAD, {"files": [None]})
        (error,) = response.json()["data"]["uploadVideos"]["userErrors"]
        assert error["code"] == "LIMIT_EXCEEDED"
        assert "limit: mutation_rate_per_user" in error["message"]


async def test_limits_of_the_request_are_named(database, tmp_path):
    async with FullApp(tmp_path, max_files_per_upload=1, max_request_bytes=2**20) as app:
        person = await app.person()
        for files, status, limit in (
            ([("a.mp4", b"a"), ("b.mp4", b"b")], 400, "max_files_per_upload"),
            ([("a.mp4", b"a" * 2**20)], 413, "max_request_bytes"),
        ):
            places = {str(number): [f"variables.files.{number}"] for number in range(len(files))}
            operations = {"query": UPLOAD, "variables": {"files": [None] * len(files)}}
            response = await person.http.post(
                "/graphql",
                data={"operations": json.dumps(operations), "map": json.dumps(places)},
                files={str(number): file for number, file in enumerate(files)},
                headers=person.headers,
            )
            assert response.status_code == status
            (error,) = response.json()["errors"]
            assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit}
            assert error["message"].count(limit) == 1


async def test_a_good_request_is_let_in(app, refused):
    payload = await refused.person.upload(("first.mp4", b"first"))
    assert payload["userErrors"] == []
    assert len(payload["videos"]) == 1


async def test_a_repetition_is_let_in_though_the_quota_is_full(refused):
    first = await refused.person.upload(("first.mp4", b"first"), idempotencyKey="once")
    again = await refused.person.upload(("first.mp4", b"first"), idempotencyKey="once")
    assert again["userErrors"] == []
    assert again["videos"][0]["id"] == first["videos"][0]["id"]
