"""Options of an analysis as a client gives them, sees them, and is told what is wrong with them."""

from uuid import uuid4

import pytest

from domain.videos.models import Video
from graphql_api.relay import find_uuid, global_id
from tests.graphql_api.full_app import FullApp

START = """mutation($input: StartAnalysisInput!) { startAnalysis(input: $input) {
  analysis { settings {
    mode region { x y } tiling { tilePixels overlap } motionGating
    trackerParameters { lostTrackSeconds minIou minConsecutiveFrames }
    lines { name start { x y } end { x y } labels } zones { name points { x y } labels } } }
  userErrors { code message path } } }"""
TRIANGLE = [{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 0.0}, {"x": 0.5, "y": 1.0}]
DOOR = {"name": "door", "start": {"x": 0.1, "y": 0.5}, "end": {"x": 0.9, "y": 0.5}}
GATE = {"name": "gate", "start": {"x": 0.7, "y": 0.5}, "end": {"x": 0.9, "y": 0.5}}
LEFT = [{"x": 0.0, "y": 0.0}, {"x": 0.4, "y": 0.0}, {"x": 0.4, "y": 0.5}]
YARD_AT_THE_RIGHT = {"name": "yard", "points": [{"x": 0.5 + one["x"], "y": one["y"]} for one in LEFT]}
FEET = {"name": "feet", "points": [{"x": one["x"], "y": 1 - one["y"] / 4} for one in LEFT]}


@pytest.fixture
async def app(database, tmp_path, monkeypatch):
    async def no_ring() -> bool:
        return True

    monkeypatch.setattr("tasks.analyses.ring", no_ring)
    async with FullApp(tmp_path) as app:
        yield app


@pytest.fixture
async def start(app):
    ada = await app.person()
    owner_id = find_uuid((await ada.data("{ me { id } }"))["me"]["id"], "User")
    video = await Video.create(
        id=uuid4(), owner_id=owner_id, title="v", filename="v.mp4", storage_key="v", size_bytes=1, sha256=""
    )

    async def start(**options):
        settings = {"mlModel": "opencv-haar-face", **options}
        given = {"videoId": global_id("Video", video.id), "settings": settings}
        return (await ada.data(START, input=given))["startAnalysis"]

    return start


async def test_by_default_nothing_is_special(start):
    settings = (await start())["analysis"]["settings"]
    assert settings == {
        "mode": "EXACT",
        "region": None,
        "tiling": None,
        "motionGating": False,
        "trackerParameters": {"lostTrackSeconds": None, "minIou": None, "minConsecutiveFrames": None},
        "lines": [],
        "zones": [],
    }


async def test_what_is_given_is_kept(start):
    given = {
        "mode": "FAST",
        "region": TRIANGLE,
        "tiling": {"tilePixels": 320, "overlap": 0.1},
        "motionGating": False,
        "trackerParameters": {"lostTrackSeconds": 2.0, "minIou": 0.3, "minConsecutiveFrames": 4},
        "lines": [{**DOOR, "labels": ["face"]}],
        "zones": [{"name": "yard", "points": TRIANGLE, "labels": None}],
    }
    assert (await start(**given))["analysis"]["settings"] == given


async def test_fast_skips_still_frames(start):
    assert (await start(mode="FAST"))["analysis"]["settings"]["motionGating"] is True


@pytest.mark.parametrize(
    ("options", "path", "words"),
    [
        ({"region": TRIANGLE[:2]}, "region", "3 to 64"),
        ({"tiling": {"tilePixels": 1}}, "tiling.tilePixels", "64 to 4096"),
        ({"trackerParameters": {"minIou": 2.0}}, "trackerParameters.minIou", "more than 0 and less than 1"),
        ({"lines": [DOOR, DOOR]}, "lines.1.name", "door"),
        ({"lines": [{**DOOR, "labels": ["horse"]}]}, "lines.0.labels", "has no label 'horse'"),
        ({"zones": [{"name": "z", "points": TRIANGLE[:1]}]}, "zones.0.points", "3 to 64"),
        (
            {"mlModel": "yolox-nano", "labels": ["person"], "lines": [DOOR, {**GATE, "labels": ["car"]}]},
            "lines.1.labels",
            "'gate' would count nothing",
        ),
        ({"region": LEFT, "lines": [{**GATE, "start": {"x": 0.6, "y": 1.0}}]}, "lines.0", "outside of the"),
        ({"region": LEFT, "zones": [YARD_AT_THE_RIGHT]}, "zones.0", "outside of the region"),
        ({"region": LEFT, "zones": [{**FEET, "anchor": "CENTER"}]}, "zones.0", "outside of the region"),
        ({"lines": [DOOR], "tracker": "NONE"}, "tracker", "choose a tracker"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_named(start, options, path, words):
    payload = await start(**options)
    assert payload["analysis"] is None
    (error,) = payload["userErrors"]
    assert (error["code"], ".".join(error["path"])) == ("INVALID", f"input.settings.{path}")
    assert words in error["message"]


async def test_what_can_count_something_is_taken(start):
    given = {"mlModel": "yolox-nano", "labels": ["person", "car"], "region": LEFT}
    lines = [{**DOOR, "labels": ["car", "bus"]}]
    assert not (await start(**given, lines=lines, zones=[FEET]))["userErrors"]
