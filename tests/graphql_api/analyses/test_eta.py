"""`etaSeconds` of analyses that are read as rows."""

import time
from uuid import uuid4

import pytest

from domain.analyses.models import Analysis, AnalysisStatus
from domain.videos.models import Video, VideoStatus
from graphql_api.relay import find_uuid, global_id
from tests.graphql_api.full_app import FullApp

ETA = "query($id: ID!) { analysis(id: $id) { etaSeconds progress } }"


@pytest.fixture
async def app(database, tmp_path):
    async with FullApp(tmp_path) as app:
        yield app


@pytest.mark.parametrize(
    ("options", "drawn", "expected_seconds", "expected_percent"),
    [
        ({"mode": "FAST"}, 0, 300, 25),  # 50 of 100 frames and none of 100 drawn, which weigh as much
        (None, 0, 200, 33.33),
        ({"mode": "FAST"}, 20, 40 * 80 / 20, 35),
    ],
)
async def test_the_overlay_is_counted_as_the_mode_has_it(
    app, options, drawn, expected_seconds, expected_percent
):
    ada = await app.person()
    owner_id = find_uuid((await ada.data("{ me { id } }"))["me"]["id"], "User")
    video = await Video.create(
        id=uuid4(), owner_id=owner_id, title="v", filename="v.mp4", storage_key="v", size_bytes=1, sha256="",
        status=VideoStatus.READY,
    )  # fmt: skip
    analysis = await Analysis.create(
        id=uuid4(), owner_id=owner_id, video_id=video.id, ml_model="m", tracker="SORT", frame_stride=1,
        min_confidence=0.5, status=AnalysisStatus.RUNNING, overlay=True, advance_due=False, frames_total=100,
        frames_finished=50, frames_done=50, active_seconds=60, running_since=time.time() - 40,
        overlay_frames_done=drawn, detection_options=options,
    )  # fmt: skip
    found = (await ada.data(ETA, id=global_id("Analysis", analysis.id)))["analysis"]
    assert found["etaSeconds"] == pytest.approx(expected_seconds, rel=0.2)
    assert found["progress"] == pytest.approx(expected_percent, abs=0.1)
