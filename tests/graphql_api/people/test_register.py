"""The register at the API: lists, presence, corrections, history."""

from datetime import UTC, datetime

import pytest

from domain.accounts.models import User
from domain.analyses.models import Analysis, AnalysisStatus, Tracker
from domain.analyses.progress import ProgressSnapshot, take_snapshot
from domain.people.models import Appearance
from domain.videos.models import Video, VideoStatus
from graphql_api.people.crops import NO_FACE_URL
from graphql_api.relay import find_uuid, global_id
from tests.graphql_api.full_app import FullApp
from tests.graphql_api.people.possessions import give_appearance, give_person

PAYLOAD = "{ person { id fullName appearanceCount cropUrl } change { id kind } userErrors { code path } }"


@pytest.fixture
async def app(database, tmp_path):
    async with FullApp(tmp_path) as app:
        yield app


class Stage:
    """Somebody with two videos, an analysis of the first and two of the second, and two people."""

    def __init__(self, ada, owner):
        self.ada, self.owner = ada, owner

    async def fill(self):
        owner_id = self.owner.id
        self.videos = [
            await Video.create(
                owner_id=owner_id, title=f"video {number}", filename="v.mp4", storage_key=f"v{number}",
                size_bytes=1, sha256=f"{number:064}", status=VideoStatus.READY, duration_seconds=20.0,
            )
            for number in range(2)
        ]  # fmt: skip
        self.analyses = [
            await Analysis.create(
                owner_id=owner_id, video_id=video.id, ml_model="yunet-2026may", tracker=Tracker.BYTE_TRACK,
                frame_stride=1, min_confidence=0.5, status=AnalysisStatus.SUCCEEDED, create_people=True,
            )
            for video in (self.videos[0], self.videos[1], self.videos[1])
        ]  # fmt: skip
        self.first = await give_person(self.owner, "Ada Lovelace")
        self.second = await give_person(self.owner, None)
        self.seen = [
            await give_appearance(self.first, self.videos[0], self.analyses[0], 1, seconds=(1.0, 3.0)),
            await give_appearance(self.first, self.videos[1], self.analyses[1], 1, seconds=(0.0, 4.0)),
            await give_appearance(self.first, self.videos[1], self.analyses[2], 1, seconds=(3.0, 5.0)),
            await give_appearance(self.first, self.videos[1], self.analyses[2], 2, seconds=(10.0, 12.5)),
            await give_appearance(self.second, self.videos[1], self.analyses[1], 2, seconds=(1.0, 2.0)),
        ]
        return self

    def ids(self, *appearances):
        return [global_id("Appearance", one.id) for one in appearances]

    @property
    def first_id(self):
        return global_id("Person", self.first.id)

    @property
    def second_id(self):
        return global_id("Person", self.second.id)

    async def change(self, field, arguments, **variables):
        query = f"mutation({arguments[0]}) {{ {field}({arguments[1]}) {PAYLOAD} }}"
        return (await self.ada.data(query, **variables))[field]

    async def counts(self):
        answer = await self.ada.data("{ people(orderBy: OLDEST) { edges { node { id appearanceCount } } } }")
        return {edge["node"]["id"]: edge["node"]["appearanceCount"] for edge in answer["people"]["edges"]}


@pytest.fixture
async def stage(app):
    ada = await app.person()
    me = (await ada.data("{ me { id } }"))["me"]["id"]
    return await Stage(ada, await User.get(id=find_uuid(me, "User"))).fill()


async def test_presence_is_the_union_over_all_analyses(stage):
    query = """query($id: ID!, $video: ID!) { person(id: $id) {
      presence(videoId: $video) { seconds share spans { firstSeconds lastSeconds } } } }"""
    video = global_id("Video", stage.videos[1].id)
    found = (await stage.ada.data(query, id=stage.first_id, video=video))["person"]["presence"]
    assert (found["seconds"], found["share"]) == (7.5, 0.375)
    assert [(one["firstSeconds"], one["lastSeconds"]) for one in found["spans"]] == [(0, 5), (10, 12.5)]
    other = global_id("Video", stage.videos[0].id)
    found = (await stage.ada.data(query, id=stage.second_id, video=other))["person"]["presence"]
    assert (found["seconds"], found["share"], found["spans"]) == (0, 0, [])
    for nobody in (global_id("Video", stage.first.id), stage.first_id, "nonsense"):
        answer = await stage.ada.data(query, id=stage.first_id, video=nobody)
        assert answer["person"]["presence"] is None


async def test_appearances_lead_to_the_moment_and_the_crop(stage, app):
    await app.storage.put(f"analyses/{stage.analyses[0].id}/faces/000001.jpg", b"a face")
    query = """query($id: ID!) { node(id: $id) { ... on Appearance { trackId cropUrl videoUrl isConfirmed
      video { title } analysis { id peopleCount } person { fullName videos { edges { node { title } } } } } } }"""
    found = (await stage.ada.data(query, id=stage.ids(stage.seen[0])[0]))["node"]
    assert found["videoUrl"].endswith("#t=1.000,3.000")
    assert (found["video"]["title"], found["analysis"]["peopleCount"]) == ("video 0", 1)
    titles = [edge["node"]["title"] for edge in found["person"]["videos"]["edges"]]
    assert sorted(titles) == ["video 0", "video 1"]
    assert (await stage.ada.http.get(found["cropUrl"])).content == b"a face"
    assert (await stage.ada.http.get(found["cropUrl"].replace("000001", "000002"))).status_code == 403


async def test_filters_and_orders(stage):
    async def names(arguments):
        answer = await stage.ada.data(f"{{ people{arguments} {{ edges {{ node {{ fullName }} }} }} }}")
        return [edge["node"]["fullName"] for edge in answer["people"]["edges"]]

    await Video.filter(id=stage.videos[0].id).update(recorded_at=datetime(2020, 5, 5, 12, tzinfo=UTC))
    assert await names("(orderBy: NAME)") == ["Ada Lovelace", None]
    assert await names('(filter: {name: " ada  \u3000LOVE"})') == ["Ada Lovelace"]
    assert len(await names('(filter: {name: " "})')) == 2
    assert await names("(orderBy: MOST_SEEN)") == ["Ada Lovelace", None]
    assert await names("(filter: {unnamed: true})") == [None]
    assert await names("(filter: {unnamed: false})") == ["Ada Lovelace"]
    assert await names(f'(filter: {{videoId: "{global_id("Video", stage.videos[0].id)}"}})') == [
        "Ada Lovelace"
    ]
    day = '{seenFrom: "2020-05-05T00:00:00Z", seenTo: "2020-05-06T00:00:00Z"}'
    assert await names(f"(filter: {day})") == ["Ada Lovelace"]
    assert await names('(filter: {seenTo: "2020-05-05T12:00:00Z"})') == []
    assert sorted(await names('(filter: {seenFrom: "2021-01-01T00:00:00Z"})'), key=str) == [
        "Ada Lovelace",
        None,
    ]
    page = await stage.ada.data(
        "{ people(first: 1, orderBy: NAME) { edges { node { fullName } } pageInfo { endCursor hasNextPage } } }"
    )
    after = page["people"]["pageInfo"]["endCursor"]
    assert await names(f'(first: 1, orderBy: NAME, after: "{after}")') == [None]


async def test_corrections_and_their_undoing(stage):
    before = await stage.counts()
    split = await stage.change(
        "splitPerson", ("$id: ID!, $ids: [ID!]!", "id: $id, appearanceIds: $ids"),
        id=stage.first_id, ids=stage.ids(*stage.seen[2:4]),
    )  # fmt: skip
    assert (split["userErrors"], split["person"]["appearanceCount"]) == ([], 2)
    moved = await stage.change(
        "moveAppearance", ("$id: ID!, $to: ID!", "id: $id, personId: $to"),
        id=stage.ids(stage.seen[4])[0], to=stage.first_id,
    )  # fmt: skip
    assert (moved["userErrors"], moved["person"]["id"]) == ([], stage.first_id)
    rejected = await stage.change("rejectAppearance", ("$id: ID!", "id: $id"), id=stage.ids(stage.seen[0])[0])
    assert rejected["change"]["kind"] == "REJECTED"
    merged = await stage.change(
        "mergePeople", ("$ids: [ID!]!, $into: ID!", "ids: $ids, into: $into"),
        ids=[split["person"]["id"]], into=stage.first_id,
    )  # fmt: skip
    assert (merged["userErrors"], merged["person"]["appearanceCount"]) == ([], 4)
    history = await stage.ada.data(
        """query($id: ID!) { person(id: $id) { history { edges { node { id kind isUndone
        changedBy { username } } } } } }""",
        id=stage.first_id,
    )
    kinds = [edge["node"]["kind"] for edge in history["person"]["history"]["edges"]]
    assert kinds == ["MERGED", "REJECTED", "MOVED", "SPLIT"]
    assert history["person"]["history"]["edges"][0]["node"]["changedBy"]["username"] == "ada"
    for change in (merged, rejected, moved, split):
        undone = await stage.change(
            "undoPersonChange", ("$id: ID!", "changeId: $id"), id=change["change"]["id"]
        )
        assert undone["userErrors"] == []
    assert await stage.counts() == before


async def test_an_edit_is_told_with_before_and_after(stage):
    answer = await stage.ada.data(
        """mutation($id: ID!) { updatePerson(input: {id: $id, fullName: "Ada King", birthDate: "1915-12-10"}) {
        change { edits { personId field before after } undoesId } } }""",
        id=stage.first_id,
    )
    edits = {one["field"]: one for one in answer["updatePerson"]["change"]["edits"]}
    assert edits["fullName"] == {
        "personId": stage.first_id, "field": "fullName", "before": "Ada Lovelace", "after": "Ada King",
    }  # fmt: skip
    assert (edits["birthDate"]["before"], edits["birthDate"]["after"]) == (None, "1915-12-10")


async def test_the_error_names_the_argument(stage):
    nobody = global_id("Person", stage.seen[0].id)
    for field, arguments, path in (
        ("mergePeople", f'ids: ["{stage.second_id}", "{nobody}"], into: "{stage.first_id}"', ["ids", "1"]),
        ("mergePeople", f'ids: ["{stage.second_id}"], into: "{nobody}"', ["into"]),
        (
            "splitPerson",
            f'id: "{stage.first_id}", appearanceIds: ["{stage.first_id}"]',
            ["appearanceIds", "0"],
        ),
        ("moveAppearance", f'id: "{stage.ids(stage.seen[0])[0]}", personId: "{nobody}"', ["personId"]),
        ("rejectAppearance", 'id: "nonsense"', ["id"]),
        (
            "answerSamePerson",
            f'firstId: "{stage.first_id}", secondId: "{nobody}", isSame: true',
            ["secondId"],
        ),
        ("undoPersonChange", f'changeId: "{stage.first_id}"', ["changeId"]),
    ):
        answer = (await stage.ada.data(f"mutation {{ {field}({arguments}) {PAYLOAD} }}"))[field]
        (error,) = answer["userErrors"]
        assert (error["code"], error["path"]) == ("NOT_FOUND", path), (field, error)


async def test_who_has_no_appearance_left_has_a_drawn_picture(stage):
    alone = await give_person(stage.owner, "Nobody Seen")
    answer = await stage.ada.data(
        "query($id: ID!) { person(id: $id) { cropUrl } }", id=global_id("Person", alone.id)
    )
    assert answer["person"]["cropUrl"] == NO_FACE_URL


async def test_the_count_of_people_goes_with_the_progress(stage):
    snapshot = await take_snapshot(stage.analyses[1].id)
    assert snapshot.people_count == 2
    assert ProgressSnapshot.from_json(snapshot.to_json()) == snapshot
    await Appearance.filter(id=stage.seen[4].id).update(person_id=None)
    assert (await take_snapshot(stage.analyses[1].id)).people_count == 1
    await Analysis.filter(id=stage.analyses[1].id).update(create_people=False)
    assert (await take_snapshot(stage.analyses[1].id)).people_count == 0


async def test_a_change_that_cannot_be_undone_yet_names_the_one_in_the_way(stage):
    update = f'''mutation($name: String) {{ updatePerson(input: {{id: "{stage.first_id}", fullName: $name}}) {{
      change {{ id }} userErrors {{ code }} }} }}'''
    first, second = [
        (await stage.ada.data(update, name=name))["updatePerson"]["change"]["id"] for name in ("Ada", "Eva")
    ]
    undo = f'mutation {{ undoPersonChange(changeId: "{first}") {{ userErrors {{ code message path }} }} }}'
    (error,) = (await stage.ada.data(undo))["undoPersonChange"]["userErrors"]
    assert (error["code"], error["path"]) == ("CONFLICT", ["changeId"])
    assert error["message"].endswith(f" Its id is {second}.")
