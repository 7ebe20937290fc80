"""Deleting over GraphQL."""

import pytest

from domain.accounts.models import User
from domain.analyses.models import Analysis
from domain.videos.models import Video
from graphql_api.uploads import videos as video_uploads
from tests.graphql_api.full_app import PASSWORD, FullApp

FILE = ("one.mp4", b"first")
HAAR = {"mlModel": "opencv-haar-face"}
DELETE_ANALYSIS = (
    "mutation($id: ID!) { deleteAnalysis(id: $id) { deletedId userErrors { code message path } } }"
)
DELETE_VIDEO = "mutation($id: ID!) { deleteVideo(id: $id) { deletedId userErrors { code message path } } }"
DELETE_ACCOUNT = "mutation($password: String!) { deleteAccount(password: $password) { deletedId userErrors { code path } } }"
LISTS = "{ videos { edges { node { id } } } analyses { edges { node { id } } } }"
EMPTY = {"videos": {"edges": []}, "analyses": {"edges": []}}


@pytest.fixture
async def app(database, tmp_path, monkeypatch):
    async def no_ring():
        pass

    monkeypatch.setattr(video_uploads, "ring", no_ring)
    async with FullApp(tmp_path) as app:
        yield app


async def test_an_analysis_is_deleted_once(app):
    ada = await app.person()
    uploaded = await ada.upload(FILE, analyze=HAAR)
    analysis_id = uploaded["analyses"][0]["id"]
    payload = (await ada.data(DELETE_ANALYSIS, id=analysis_id))["deleteAnalysis"]
    assert payload == {"deletedId": analysis_id, "userErrors": []}
    payload = (await ada.data(DELETE_ANALYSIS, id=analysis_id))["deleteAnalysis"]
    assert payload["deletedId"] is None
    assert [(error["code"], error["path"]) for error in payload["userErrors"]] == [("NOT_FOUND", ["id"])]
    found = await ada.data(
        "query($id: ID!) { analysis(id: $id) { id } node(id: $id) { id } }", id=analysis_id
    )
    assert found == {"analysis": None, "node": None}
    assert (await ada.data(LISTS))["analyses"] == {"edges": []}
    assert await Video.all().count() == 1


@pytest.mark.parametrize("mutation", [DELETE_ANALYSIS, DELETE_VIDEO])
async def test_what_is_not_ones_own_is_not_found(app, mutation):
    ada, bob = await app.person("ada"), await app.person("bob")
    uploaded = await ada.upload(FILE, analyze=HAAR)
    for thing in (uploaded["videos"][0]["id"], uploaded["analyses"][0]["id"], "nonsense", ""):
        [payload] = (await bob.data(mutation, id=thing)).values()
        assert payload["deletedId"] is None
        assert [error["code"] for error in payload["userErrors"]] == ["NOT_FOUND"]
    assert (await Video.all().count(), await Analysis.all().count()) == (1, 1)


async def test_an_account_is_deleted_with_its_password_only(app):
    ada, bob = await app.person("ada"), await app.person("bob")
    for person in (ada, bob):
        await person.upload(FILE, analyze=HAAR)
    payload = (await ada.data(DELETE_ACCOUNT, password="wrong"))["deleteAccount"]
    assert payload == {
        "deletedId": None,
        "userErrors": [{"code": "WRONG_CREDENTIALS", "path": ["password"]}],
    }
    me = (await ada.data("{ me { id } }"))["me"]["id"]
    payload = (await ada.data(DELETE_ACCOUNT, password=PASSWORD))["deleteAccount"]
    assert payload == {"deletedId": me, "userErrors": []}
    for query in (LISTS, "{ me { id } }"):
        [error] = (await ada.execute(query))["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert len((await bob.data(LISTS))["videos"]["edges"]) == 1
    assert [user.username for user in await User.all()] == ["bob"]
    assert len(await app.keys()) == 1
    again = await app.person("ada")
    assert await again.data(LISTS) == EMPTY


async def test_deleting_needs_a_sign_in(app):
    ada = await app.person()
    uploaded = await ada.upload(FILE, analyze=HAAR)
    ada.headers = {}
    ids = {DELETE_VIDEO: uploaded["videos"][0]["id"], DELETE_ANALYSIS: uploaded["analyses"][0]["id"]}
    for mutation, thing in ids.items():
        [error] = (await ada.execute(mutation, id=thing))["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
    [error] = (await ada.execute(DELETE_ACCOUNT, password=PASSWORD))["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
