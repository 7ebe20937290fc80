"""Searching people by a photo, over HTTP."""

import json

import pytest

from domain.accounts.models import User
from domain.people import models
from tests import photos
from tests.databases import connected
from tests.domain.people.face_index.registers import MadeRegister
from tests.graphql_api.full_app import FullApp
from tests.graphql_api.uploads.multipart.forms import BOUNDARY, part
from tests.tasks.people.searching import embedding_of

SEARCH = """query($photo: Upload!, $first: Int, $face: Int) {
  searchPeople(photo: $photo, first: $first, face: $face) {
    width height chosenFace faces { confidence box { x y width height } }
    matches { similarity isSame person { id fullName cropUrl } appearance { id trackId video { title } person { id } } }
    userErrors { code message path } } }"""


async def search(person, data, headers=None, **variables):
    operations = {"query": SEARCH, "variables": {"photo": None, **variables}}
    return await person.http.post(
        "/graphql",
        data={"operations": json.dumps(operations), "map": '{"0": ["variables.photo"]}'},
        files={"0": ("photo.jpg", data)},
        headers=person.headers if headers is None else headers,
    )


async def found(person, data, **variables):
    answer = (await search(person, data, **variables)).json()
    assert "errors" not in answer, answer
    return answer["data"]["searchPeople"]


@pytest.fixture
async def embedded(tmp_path):
    async with connected(f"sqlite://{tmp_path / 'test.sqlite3'}"):
        yield


@pytest.fixture
def obama(media_dir):
    return photos.opened(media_dir / "obama.jpg")


async def test_people_are_found_by_a_photo(database, tmp_path, weights_dir, media_dir, obama):
    async with FullApp(tmp_path, weights_dir=weights_dir) as app:
        ada, bob = await app.person(), await app.person("bob")
        made = await MadeRegister.of(await User.get(username="ada"))
        people = {}
        for name in ("obama", "biden"):
            vector = await embedding_of(
                app.state.photo_search, app.storage, (media_dir / f"{name}.jpg").read_bytes()
            )
            people[name] = await made.person()
            await made.add(vector[None], [people[name]])
        await models.Person.filter(id=people["obama"]).update(
            full_name="Barack Obama", name_key="barack obama"
        )

        answer = await found(ada, (media_dir / "obama-720p.jpg").read_bytes())
        assert (answer["width"], answer["height"], answer["chosenFace"]) == (1280, 720, 0)
        (face,) = answer["faces"]
        assert face["confidence"] > 0.8
        assert 0 < face["box"]["x"] < face["box"]["x"] + face["box"]["width"] < 1280
        first, second = answer["matches"]
        assert (first["person"]["fullName"], first["isSame"]) == ("Barack Obama", True)
        assert first["appearance"]["person"]["id"] == first["person"]["id"]
        assert first["person"]["cropUrl"]
        assert (second["person"]["fullName"], second["isSame"]) == (None, False)
        assert first["similarity"] > 0.8 > 0.3 > second["similarity"]

        both = photos.encoded(photos.side_by_side([obama, photos.opened(media_dir / "biden.jpg")]))
        names = []
        for number in (0, 1):
            answer = await found(ada, both, face=number, first=1)
            assert (len(answer["faces"]), answer["chosenFace"], len(answer["matches"])) == (2, number, 1)
            names.append(answer["matches"][0]["person"]["fullName"])
        assert set(names) == {"Barack Obama", None}

        answer = await found(bob, photos.encoded(obama))
        assert (len(answer["faces"]), answer["matches"], answer["userErrors"]) == (1, [], [])
        assert list(await app.keys("uploads")) == []


async def test_what_is_wrong_is_a_user_error(embedded, tmp_path, weights_dir, obama):
    async with FullApp(tmp_path, weights_dir=weights_dir, max_photo_bytes=100_000) as app:
        ada = await app.person()
        data = photos.encoded(obama)
        for sent, variables, code, path in (
            (b"no photo", {}, "UNSUPPORTED_MEDIA", ["photo"]),
            (b"", {}, "UNSUPPORTED_MEDIA", ["photo"]),
            (photos.png_of_size(20_000, 20_000), {}, "LIMIT_EXCEEDED", ["photo"]),
            (bytes(100_001), {}, "LIMIT_EXCEEDED", ["photo"]),
            (bytes(2**21), {}, "LIMIT_EXCEEDED", ["photo"]),
            (data, {"first": 101}, "LIMIT_EXCEEDED", ["first"]),
            (data, {"first": -1}, "INVALID", ["first"]),
        ):
            answer = await found(ada, sent, **variables)
            (error,) = answer["userErrors"]
            assert (error["code"], error["path"]) == (code, path)
            assert (answer["faces"], answer["matches"]) == ([], [])
        # Whoever asks for a face that is not there sees which there are.
        for face in (1, -1):
            answer = await found(ada, data, face=face)
            (error,) = answer["userErrors"]
            assert (error["code"], error["path"]) == ("INVALID", ["face"])
            assert "The photo has 1 face: choose" in error["message"]
            assert (len(answer["faces"]), answer["chosenFace"], answer["matches"]) == (1, None, [])
            assert (answer["width"], answer["height"]) == obama.size
        document = SEARCH.replace("$photo: Upload!, ", "").replace("photo: $photo", 'photo: "photo.jpg"')
        (error,) = (await ada.data(document))["searchPeople"]["userErrors"]
        assert (error["code"], error["path"]) == ("INVALID", ["photo"])
        assert list(await app.keys("uploads")) == []


async def test_only_whom_it_is_for_may_search(embedded, tmp_path, weights_dir, obama):
    async with FullApp(tmp_path, weights_dir=weights_dir, mutation_rate_per_user="2/hour") as app:
        ada = await app.person()
        data = photos.encoded(obama)
        answer = await search(ada, data, headers={"graphql-require-preflight": "1"})
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        # What a form of another site sends: the cookie, and no header that it cannot send.
        cookie = {"Cookie": f"framewise-access={ada.headers['Authorization'].split()[1]}"}
        assert (await search(ada, data, headers=cookie)).status_code == 401
        ours = {**cookie, "x-framewise-session": "cookie"}
        foreign = {**ours, "Origin": "https://shop.example.org"}
        assert (await search(ada, data, headers=foreign)).status_code == 403
        own_page = await search(ada, data, headers={**ours, "Origin": "http://testserver"})
        assert "data" in own_page.json(), own_page.text
        assert own_page.json()["data"]["searchPeople"]["userErrors"] == []
        assert (await found(ada, data))["userErrors"] == []
        (error,) = (await found(ada, data))["userErrors"]
        assert error["code"] == "LIMIT_EXCEEDED"
        assert "mutation_rate_per_user" in error["message"]
        assert list(await app.keys("uploads")) == []


async def test_what_is_refused_anyway_is_not_read(embedded, tmp_path):
    async with FullApp(tmp_path, face_matching=False) as off:
        (error,) = (await _unread(off, await off.person()))["userErrors"]
        assert "FRAMEWISE_FACE_MATCHING" in error["message"]
        assert error["path"] == ["photo"]
    async with FullApp(tmp_path, max_photo_bytes=1000) as app:
        (error,) = (await _unread(app, await app.person("bob"), length=10**9))["userErrors"]
        assert (error["code"], error["path"]) == ("LIMIT_EXCEEDED", ["photo"])
        assert "max_photo_bytes" in error["message"]


async def _unread(app, person, length=None):
    """The answer to a photo that has no end."""

    async def body():
        yield part("operations", json.dumps({"query": SEARCH, "variables": {"photo": None}}))
        yield part("map", json.dumps({"0": ["variables.photo"]}))
        yield part("0", b"", "0.jpg")[:-2]
        for _ in range(10):
            yield bytes(2**20)
        raise AssertionError("the photo is read")

    headers = {**person.headers, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    if length is not None:
        headers["Content-Length"] = str(length)
    response = await app.http.post("/graphql", content=body(), headers=headers)
    assert list(await app.keys("uploads")) == []
    return response.json()["data"]["searchPeople"]
