"""`compareAnalyses`: whose, which, and how much."""

from typing import Any
from uuid import uuid4

import pytest

from domain.analyses.files import tracked_key
from domain.analyses.models import Analysis, AnalysisStatus, LabelTotal
from domain.videos.models import Video, VideoStatus
from graphql_api.relay import find_uuid, global_id
from tasks.results.comparison import Comparer
from tasks.results.table import SegmentTable
from tests.graphql_api.full_app import FullApp, Person
from tests.tasks.tables import tracked

COMPARE = """query($a: ID!, $b: ID!) { compareAnalyses(a: $a, b: $b) {
  frames detectionsA detectionsB matched agreement meanIou iouHistogram
  labels { label detectionsA detectionsB matched tracksA tracksB }
  matchedTrackCount lostTrackCount newTrackCount matchedTracks { trackIdA trackIdB detections }
  lostTrackIds newTrackIds } }"""


@pytest.fixture
async def app(database, tmp_path):
    async with FullApp(tmp_path) as app:
        yield app


async def _video(person: Person) -> Video:
    owner_id = find_uuid((await person.data("{ me { id } }"))["me"]["id"], "User")
    return await Video.create(
        id=uuid4(), owner_id=owner_id, title="v", filename="v.mp4", storage_key="v", size_bytes=1, sha256="",
        status=VideoStatus.READY,
    )  # fmt: skip


async def _analysis(
    app: FullApp,
    video: Video,
    boxes: list[tuple[float, int]],
    status: AnalysisStatus = AnalysisStatus.SUCCEEDED,
) -> str:
    """An analysis of two segments, each with one frame and a face at each of these places."""
    analysis = await Analysis.create(
        id=uuid4(), owner_id=video.owner_id, video_id=video.id, ml_model="m", tracker="SORT", frame_stride=1,
        min_confidence=0.5, status=status, segment_count=2, tracked_segments=2, advance_due=False,
    )  # fmt: skip
    for number in range(2):
        found = [("face", 0.9, (x, 0.0, x + 10, 10.0), track) for x, track in boxes]
        table = tracked([(number, float(number), found)])
        await app.storage.put(tracked_key(analysis.id, number), table.to_parquet())
    await LabelTotal.create(
        analysis_id=analysis.id, label="face", detections=2 * len(boxes), tracks=len(boxes)
    )
    return global_id("Analysis", analysis.id)


async def _error(person: Person, a: str, b: str) -> tuple[str, Any]:
    answer = await person.execute(COMPARE, a=a, b=b)
    assert answer["data"] is None
    (error,) = answer["errors"]
    return error["extensions"]["code"], error["message"]


async def test_two_runs_are_compared(app):
    ada = await app.person()
    video = await _video(ada)
    first = await _analysis(app, video, [(0, 1), (100, 2)])
    second = await _analysis(app, video, [(1, 5), (300, 6), (400, 7)])
    assert (await ada.data(COMPARE, a=first, b=second))["compareAnalyses"] == {
        "frames": 2,
        "detectionsA": 4,
        "detectionsB": 6,
        "matched": 2,
        "agreement": pytest.approx(0.4),
        "meanIou": pytest.approx(90 / 110),
        "iouHistogram": [0] * 8 + [2, 0],
        "labels": [
            {"label": "face", "detectionsA": 4, "detectionsB": 6, "matched": 2, "tracksA": 2, "tracksB": 3}
        ],
        "matchedTrackCount": 1,
        "lostTrackCount": 1,
        "newTrackCount": 2,
        "matchedTracks": [{"trackIdA": 1, "trackIdB": 5, "detections": 2}],
        "lostTrackIds": [2],
        "newTrackIds": [6, 7],
    }


async def test_what_cannot_be_compared_is_refused(app):
    ada, eve = await app.person(), await app.person("eve")
    video = await _video(ada)
    first = await _analysis(app, video, [(0, 1)])
    running = await _analysis(app, video, [(0, 1)], AnalysisStatus.RUNNING)
    elsewhere = await _analysis(app, await _video(ada), [(0, 1)])
    foreign = await _analysis(app, await _video(eve), [(0, 1)])
    unknown = global_id("Analysis", uuid4())
    assert (await _error(ada, first, running))[0] == "CONFLICT"
    assert (await _error(ada, first, elsewhere))[0] == "BAD_USER_INPUT"
    for other in (foreign, unknown, global_id("Video", video.id), "x"):
        assert await _error(ada, first, other) == await _error(ada, other, first)
        assert (await _error(ada, first, other))[0] == "NOT_FOUND"
    assert (await _error(eve, first, first))[0] == "NOT_FOUND"


async def test_too_many_detections_are_refused(database, tmp_path):
    async with FullApp(tmp_path, max_compared_detections=4) as app:
        ada = await app.person()
        video = await _video(ada)
        first = await _analysis(app, video, [(0, 1)])
        more = await _analysis(app, video, [(0, 1), (50, 2)])
        assert (await ada.data(COMPARE, a=first, b=first))["compareAnalyses"]["agreement"] == 1.0
        code, message = await _error(ada, first, more)
        assert code == "LIMIT_EXCEEDED"
        assert "compares up to 4" in message


async def test_an_analysis_whose_files_are_gone_is_not_found(app):
    ada = await app.person()
    first = await _analysis(app, await _video(ada), [(0, 1)])
    key = find_uuid(first, "Analysis")
    await app.storage.delete(tracked_key(key, 1))
    assert (await _error(ada, first, first))[0] == "NOT_FOUND"


async def test_one_file_uploaded_twice_is_one_video(app):
    ada = await app.person()
    videos = [await _video(ada) for _ in range(2)]
    first, second = [await _analysis(app, video, [(0, 1)]) for video in videos]
    assert (await _error(ada, first, second))[0] == "BAD_USER_INPUT"
    await Video.all().update(sha256="ab" * 32)
    assert (await ada.data(COMPARE, a=first, b=second))["compareAnalyses"]["matched"] == 2
    await Video.filter(id=videos[0].id).update(size_bytes=2)
    assert (await _error(ada, first, second))[0] == "BAD_USER_INPUT"


async def test_nothing_is_computed_in_the_process_of_the_api(app, monkeypatch):
    """A thread would not do: what holds the interpreter holds up the event loop."""

    def refuse(*args, **kwargs):
        raise AssertionError("this belongs into another process")

    monkeypatch.setattr(Comparer, "add", refuse)
    monkeypatch.setattr(Comparer, "result", refuse)
    monkeypatch.setattr(SegmentTable, "from_parquet", refuse)
    ada = await app.person()
    video = await _video(ada)
    first, second = [await _analysis(app, video, [(0, 1)]) for _ in range(2)]
    assert (await ada.data(COMPARE, a=first, b=second))["compareAnalyses"]["agreement"] == 1.0


async def test_no_more_than_a_thousand_tracks_are_listed_and_all_are_counted(app):
    ada = await app.person()
    video = await _video(ada)
    first = await _analysis(app, video, [(20.0 * place, place) for place in range(1, 1003)])
    second = await _analysis(app, video, [(0.0, 1)])
    found = (await ada.data(COMPARE, a=first, b=second))["compareAnalyses"]
    assert (found["lostTrackCount"], found["newTrackCount"]) == (1002, 1)
    assert found["lostTrackIds"] == list(range(1, 1001))
