"""What of the requests about analyses is refused at once."""

from fractions import Fraction
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from domain.analyses.models import Analysis, AnalysisStatus, Tracker
from domain.videos.files import timeline_key
from domain.videos.models import Video, VideoStatus
from graphql_api.relay import find_uuid, global_id
from media.timeline import Timeline, TimelineKind
from tests.graphql_api.full_app import FullApp, Person

START = """mutation($input: StartAnalysisInput!) { startAnalysis(input: $input) {
  analysis { status } userErrors { code message path } } }"""
RESTART = """mutation($id: ID!) { restartAnalysis(id: $id) {
  analysis { status } userErrors { code message path } } }"""


@pytest.fixture
async def app(database, tmp_path, monkeypatch):
    async def no_ring() -> bool:
        return True

    monkeypatch.setattr("tasks.analyses.ring", no_ring)
    async with FullApp(tmp_path) as app:
        yield app


async def _owner_id(person: Person) -> UUID:
    found = find_uuid((await person.data("{ me { id } }"))["me"]["id"], "User")
    assert found is not None
    return found


async def _video(person: Person, **values: Any) -> Video:
    return await Video.create(
        id=uuid4(), owner_id=await _owner_id(person), title="v", filename="v.mp4", storage_key="v", size_bytes=1,
        sha256="", **values,
    )  # fmt: skip


async def _start(person: Person, video: Video, **more: Any) -> tuple[str, list[str]]:
    key = more.pop("idempotencyKey", None)
    settings = {"mlModel": "opencv-haar-face", **more}
    given = {"videoId": global_id("Video", video.id), "settings": settings, "idempotencyKey": key}
    payload = (await person.data(START, input=given))["startAnalysis"]
    for error in payload["userErrors"]:
        return error["code"], error["path"]
    return payload["analysis"]["status"], []


async def test_a_start_after_the_end_of_the_video(app):
    """This one lasts 4 seconds and begins at 10."""
    ada = await app.person()
    pts = np.arange(10, 14, dtype=np.int64)
    timeline = Timeline(pts, np.ones(4, bool), Fraction(1), TimelineKind.SEQUENTIAL, 64, 48, 0, 1)
    video = await _video(ada, status=VideoStatus.READY, duration_seconds=4.0)
    await app.storage.put(timeline_key(video.id), timeline.to_bytes())
    wrong = ("INVALID", ["input", "settings", "startSeconds"])
    assert await _start(ada, video, startSeconds=13.5) == wrong
    assert await _start(ada, video, startSeconds=5, endSeconds=5) == (
        "INVALID",
        ["input", "settings", "endSeconds"],
    )
    assert await Analysis.all().count() == 0
    for start_seconds in (3, 13):
        assert await _start(ada, video, startSeconds=start_seconds) == ("QUEUED", [])


async def test_a_repeated_request_is_answered_as_before(app):
    ada = await app.person()
    video = await _video(ada)
    given = {"startSeconds": 9, "idempotencyKey": "k"}
    assert await _start(ada, video, **given) == ("QUEUED", [])
    await Video.filter(id=video.id).update(status=VideoStatus.READY, duration_seconds=4.0)
    assert await _start(ada, video, **given) == ("QUEUED", [])


async def test_an_analysis_of_a_rejected_video_is_not_restarted(app):
    ada = await app.person()
    video = await _video(ada, status=VideoStatus.REJECTED, rejection_reason="It is no video.")
    analysis = await Analysis.create(
        id=uuid4(), owner_id=video.owner_id, video_id=video.id, ml_model="opencv-haar-face",
        tracker=Tracker.BYTE_TRACK, frame_stride=1, min_confidence=0.5, status=AnalysisStatus.FAILED,
    )  # fmt: skip
    answer = (await ada.data(RESTART, id=global_id("Analysis", analysis.id)))["restartAnalysis"]
    assert answer["analysis"] is None
    assert answer["userErrors"] == [
        {"code": "CONFLICT", "message": "This video cannot be analysed: It is no video.", "path": ["id"]}
    ]
    assert (await Analysis.get(id=analysis.id)).status == AnalysisStatus.FAILED


async def test_an_analysis_of_a_model_that_is_gone_is_not_restarted(app):
    ada = await app.person()
    video = await _video(ada, status=VideoStatus.READY)
    for status, code in (
        (AnalysisStatus.CANCELLED, "MODEL_UNAVAILABLE"),
        (AnalysisStatus.SUCCEEDED, "CONFLICT"),
    ):
        analysis = await Analysis.create(
            id=uuid4(), owner_id=video.owner_id, video_id=video.id, ml_model="own-gone",
            tracker=Tracker.BYTE_TRACK, frame_stride=1, min_confidence=0.5, status=status,
        )  # fmt: skip
        answer = (await ada.data(RESTART, id=global_id("Analysis", analysis.id)))["restartAnalysis"]
        assert answer["analysis"] is None
        [error] = answer["userErrors"]
        assert (error["code"], error["path"]) == (code, ["id"])
        assert (await Analysis.get(id=analysis.id)).status == status
