"""`importVideo` through GraphQL."""

import pytest

from domain.videos.models import Video
from tests.databases import connected
from tests.graphql_api.full_app import FullApp

IMPORT = """mutation($url: String!, $analyze: AnalysisSettingsInput, $idempotencyKey: String) {
  importVideo(url: $url, analyze: $analyze, idempotencyKey: $idempotencyKey) {
    video { id status title filename sizeBytes sha256 url thumbnailUrl sourceUrl rejectionReason }
    analysis { id status } userErrors { code message path } } }"""
URL = "https://example.com/films/my%20clip.mp4?token=1"
HAAR = {"mlModel": "opencv-haar-face"}


@pytest.fixture
async def app(tmp_path):
    settings = {"max_imports_per_user": 3, "import_allowed_networks": "192.168.0.0/16"}
    async with connected(f"sqlite://{tmp_path / 'test.sqlite3'}"), FullApp(tmp_path, **settings) as app:
        yield app


async def ask(person, **variables):
    return (await person.data(IMPORT, **{"url": URL, **variables}))["importVideo"]


async def test_the_video_is_there_at_once_and_is_fetched_later(app):
    ada = await app.person()
    payload = await ask(ada, analyze=HAAR)
    assert payload["userErrors"] == []
    video = payload["video"]
    assert (video.pop("id"), payload["analysis"]["status"]) != (None, None)
    assert video == {
        "status": "PROBING",
        "title": "my clip",
        "filename": "my clip.mp4",
        "sizeBytes": 0,
        "sha256": None,
        "url": None,
        "thumbnailUrl": None,
        "sourceUrl": URL,
        "rejectionReason": None,
    }


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a.mp4",
        "http://user:secret@example.com/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://0x7f.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://example.com:22/",
        "",
    ],
)
async def test_a_url_that_can_never_work_is_refused_at_once(app, url):
    payload = await ask(await app.person(), url=url)
    assert payload["video"] is None
    error = payload["userErrors"][0]
    assert (error["code"], error["path"]) == ("INVALID", ["url"])
    assert "secret" not in error["message"]
    assert not await Video.exists()


async def test_networks_that_the_operator_allows_are_taken(app):
    assert (await ask(await app.person(), url="http://192.168.7.1:8080/cam.mp4"))["userErrors"] == []


async def test_so_many_at_once_and_no_more(app):
    ada = await app.person()
    for _ in range(3):
        assert (await ask(ada))["userErrors"] == []
    error = (await ask(ada))["userErrors"][0]
    assert error["code"] == "LIMIT_EXCEEDED"
    assert "max_imports_per_user" in error["message"]


async def test_the_same_key_asks_once(app):
    ada = await app.person()
    first, second = [await ask(ada, idempotencyKey="k", analyze=HAAR) for _ in range(2)]
    assert first == second
    for changes in ({"url": "https://example.com/other"}, {"analyze": None}):
        answer = await ask(ada, **{"idempotencyKey": "k", "analyze": HAAR, **changes})
        assert answer["userErrors"][0]["code"] == "IDEMPOTENCY_MISMATCH"
        assert "with another URL or other settings" in answer["userErrors"][0]["message"]
    assert await Video.all().count() == 1


async def test_it_takes_a_sign_in_and_belongs_to_who_asked(app):
    ada, bob = await app.person("ada"), await app.person("bob")
    video = (await ask(ada))["video"]
    found = await bob.data("query($id: ID!) { video(id: $id) { id } }", id=video["id"])
    assert found["video"] is None
    nobody = await app.http.post("/graphql", json={"query": IMPORT, "variables": {"url": URL}})
    assert nobody.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_deleting_it_works_while_it_is_fetched(app):
    ada = await app.person()
    video = (await ask(ada, analyze=HAAR))["video"]
    deleted = await ada.data(
        "mutation($id: ID!) { deleteVideo(id: $id) { deletedId userErrors { message } } }", id=video["id"]
    )
    assert deleted["deleteVideo"] == {"deletedId": video["id"], "userErrors": []}
    assert not await Video.exists()
