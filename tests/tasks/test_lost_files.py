"""Stored intermediate files that vanish are made again, and the result is the same."""

from collections import Counter

import pytest

from domain.analyses.files import ResultFormat
from domain.analyses.models import Analysis, AnalysisStatus
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from storage.errors import FileMissingError
from tasks.steps import advance
from tests.tasks.harness import Harness, harness

SETTINGS = AnalysisSettings("opencv-haar-face", end_seconds=4.0, frame_stride=5)


async def outcome(work: Harness, video_id: object) -> tuple[Analysis, bytes]:
    [analysis] = (
        await Analysis.filter(video_id=video_id, status=AnalysisStatus.SUCCEEDED)
        .order_by("-created_at")
        .limit(1)
    )
    return analysis, await work.result(analysis, ResultFormat.JSON)


@pytest.mark.parametrize(
    ("folder", "ending", "on_read"),
    [("detections/", ".parquet", 2), ("analyses/", "000001.state", 1)],
    ids=["detections", "tracker"],
)
async def test_what_vanished_is_computed_again(folder, ending, on_read, tmp_path, media_dir, monkeypatch):
    clip = media_dir / "short_hamilton_clip.mp4"
    async with harness(tmp_path / "data", None, segment_seconds=1.0) as work:
        first = await work.analyse(clip, SETTINGS)
        assert first.status == AnalysisStatus.SUCCEEDED, first.error_message
        _, undisturbed = await outcome(work, first.video_id)
        storage = work.runtime.storage
        reads: Counter[str] = Counter()
        vanished: list[str] = []
        get = storage.get

        async def get_or_vanish(key: str) -> bytes:
            reads[key] += 1
            is_wanted = key.startswith(folder) and key.endswith(ending)
            if is_wanted and reads[key] == on_read and not vanished:
                vanished.append(key)
                await storage.delete(key)
                raise FileMissingError(f"Nothing is stored under {key!r}.")
            return await get(key)

        monkeypatch.setattr(storage, "get", get_or_vanish)
        monkeypatch.setattr(advance, "TRACKED_AT_ONCE", 1)
        video = await first.video
        await create_analysis(work.owner.id, video, SETTINGS)
        await work.work()
        again, disturbed = await outcome(work, first.video_id)
        assert vanished
        assert again.id != first.id
        assert disturbed == undisturbed
        assert again.frames_done == again.frames_total == again.frames_finished
