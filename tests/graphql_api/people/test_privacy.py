"""Deleting and exporting people at the API, and a server that does not match faces."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from domain.accounts.models import User
from domain.analyses.files import face_key
from domain.people.export import prune_exports
from domain.people.models import PersonExport
from graphql_api.relay import global_id
from tests.graphql_api.full_app import FullApp
from tests.graphql_api.people.test_register import Stage

EXPORT = "mutation($id: ID!) { exportPerson(id: $id) { url expiresAt userErrors { code path } } }"
DELETE = "mutation($id: ID!) { deletePerson(id: $id) { deletedId userErrors { code path } } }"
UPDATE = "mutation($id: ID!) { updatePerson(input: {id: $id, sex: FEMALE}) { userErrors { code } } }"
ANSWER = """mutation($a: ID!, $b: ID!) {
  answerSamePerson(firstId: $a, secondId: $b, isSame: false) { userErrors { code } } }"""
AUDIT = "{ auditLog { edges { node { kind subjectId } } } }"

_JPEG = b"\xff\xd8\xff face"


@pytest.fixture
async def app(database, tmp_path):
    async with FullApp(tmp_path, face_matching=False) as app:
        yield app


@pytest.fixture
async def stage(app):
    ada = await app.person()
    stage = await Stage(ada, await User.get()).fill()
    for number, one in enumerate(stage.seen[:-2]):
        await app.storage.put(face_key(one.analysis_id, one.track_id), _JPEG + b"%d" % number)
    return stage


async def kinds(stage):
    answer = await stage.ada.data(AUDIT)
    return [(edge["node"]["kind"], edge["node"]["subjectId"]) for edge in answer["auditLog"]["edges"]]


async def export(stage):
    return (await stage.ada.data(EXPORT, id=stage.first_id))["exportPerson"]


def unpacked(response):
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


async def test_all_that_is_kept_of_somebody_but_embeddings_is_exported(stage, app):
    await stage.ada.data(UPDATE, id=stage.first_id)
    await stage.ada.data(ANSWER, a=stage.second_id, b=stage.first_id)
    answer = await export(stage)
    assert answer["userErrors"] == []
    assert datetime.fromisoformat(answer["expiresAt"]) > datetime.now(UTC)
    for secret in (stage.first_id.rstrip("="), str(stage.first.id), "Lovelace"):
        assert secret not in answer["url"]
    files = unpacked(await app.http.get(answer["url"]))
    told = json.loads(files.pop("person.json"))
    assert (told["id"], told["fullName"], told["sex"]) == (stage.first_id, "Ada Lovelace", "FEMALE")
    assert [
        (one["video"]["title"], one["firstSeconds"], one["lastSeconds"]) for one in told["appearances"]
    ] == [
        ("video 0", 1.0, 3.0),
        ("video 1", 0.0, 4.0),
        ("video 1", 3.0, 5.0),
        ("video 1", 10.0, 12.5),
    ]
    assert [one["id"] for one in told["appearances"]] == stage.ids(*stage.seen[:4])
    # The last one has no picture (any more).
    assert files == {
        one["picture"]: _JPEG + b"%d" % place for place, one in enumerate(told["appearances"][:3])
    }
    assert [(one["kind"], one["changedBy"], one["edits"]) for one in told["history"]] == [
        ("EDITED", "ada", [{"field": "sex", "before": None, "after": "FEMALE"}]),
        ("ANSWERED", "ada", []),
    ]
    assert [one["personId"] for one in told["notTheSameAs"]] == [stage.second_id]
    assert "embedding" not in {key for one in told["appearances"] for key in one}
    assert (await kinds(stage))[0] == ("PERSON_EXPORTED", None)


async def test_a_link_works_only_as_it_was_made_and_until_it_expires(stage, app):
    url = (await export(stage))["url"]
    assert (await app.http.get(url.replace("signature=", "signature=x"))).status_code == 403
    assert (await app.http.get(url.partition("?")[0])).status_code == 403
    assert (await app.http.get(url.replace("/exports/", "/files/exports/"))).status_code == 404
    assert (await app.http.get("http://testserver/exports/none")).status_code == 404
    await PersonExport.all().update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert (await app.http.get(url)).status_code == 404
    assert await prune_exports() == 1
    assert await PersonExport.all().count() == 0


async def test_who_is_deleted_is_gone_and_told_of_without_a_name(stage, app):
    url = (await export(stage))["url"]
    assert (await stage.ada.data(DELETE, id=stage.first_id))["deletePerson"] == {
        "deletedId": stage.first_id,
        "userErrors": [],
    }
    assert await stage.counts() == {stage.second_id: 1}
    assert (await app.http.get(url)).status_code == 404
    assert await app.keys("analyses") == []
    assert (await kinds(stage))[0] == ("PERSON_DELETED", None)
    for query, field in ((DELETE, "deletePerson"), (EXPORT, "exportPerson")):
        answer = (await stage.ada.data(query, id=stage.first_id))[field]
        assert answer["userErrors"] == [{"code": "NOT_FOUND", "path": ["id"]}]


async def test_others_get_nothing_and_delete_nothing(stage, app):
    eve = await app.person("eve")
    for query, field in ((DELETE, "deletePerson"), (EXPORT, "exportPerson")):
        answer = (await eve.data(query, id=stage.first_id))[field]
        assert [error["code"] for error in answer["userErrors"]] == ["NOT_FOUND"]
    assert len(await stage.counts()) == 2
    assert await PersonExport.all().count() == 0


async def test_what_is_no_person_is_not_found(stage):
    for wrong in (global_id("Video", stage.first.id), "nonsense", global_id("Person", stage.seen[0].id)):
        answer = (await stage.ada.data(DELETE, id=wrong))["deletePerson"]
        assert answer == {"deletedId": None, "userErrors": [{"code": "NOT_FOUND", "path": ["id"]}]}


async def test_without_face_matching_the_register_is_still_read_and_deleted(stage, app):
    """Every test of this file runs so; nothing new is taken up, and no photo is looked at."""
    search = "query { searchPeople(photo: null) { userErrors { code message } } }"
    assert "errors" in await stage.ada.execute(search)
    query = """mutation($id: ID!) { startAnalysis(input: {videoId: $id, settings: {createPeople: true}})
      { userErrors { code message path } } }"""
    answer = await stage.ada.data(query, id=global_id("Video", stage.videos[0].id))
    [error] = answer["startAnalysis"]["userErrors"]
    assert (error["code"], error["path"][-1]) == ("INVALID", "createPeople")
    assert "switched off" in error["message"]
    assert (await stage.ada.data("{ samePersonSuggestions { similarity } }"))["samePersonSuggestions"] == []
    named = await stage.ada.data('{ people(filter: {name: "ada"}) { edges { node { appearanceCount } } } }')
    assert named["people"]["edges"] == [{"node": {"appearanceCount": 4}}]
