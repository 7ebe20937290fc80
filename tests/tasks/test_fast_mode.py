"""Mode FAST from an analysis to its results: the same on any number of slots, and told apart by precision."""

import orjson
import pytest

from domain.analyses.files import ResultFormat
from domain.analyses.models import Analysis, AnalysisStatus, Tracker
from domain.analyses.options import AnalysisMode, DetectionOptions, Precision, read_options
from domain.analyses.settings import AnalysisSettings
from tasks.steps import precision
from tests.tasks.harness import harness

CLIP = "short_hamilton_clip.mp4"


def settings(ml_model: str = "yunet-2026may", **changes) -> AnalysisSettings:
    given = {"detection": DetectionOptions(mode=AnalysisMode.FAST), "start_seconds": 1.0, "end_seconds": 4.0}
    return AnalysisSettings(ml_model, **{**given, **changes})


def precision_of(analysis: Analysis) -> Precision:
    return read_options(DetectionOptions, analysis.detection_options).precision


@pytest.fixture
def machine(monkeypatch):
    """Sets why this machine does not compute in bfloat16."""

    def become(reason: str | None) -> None:
        monkeypatch.setattr(precision, "why_not_bfloat16", lambda: reason)

    become("the CPU is too old")
    return become


async def test_slots_change_nothing_and_what_is_skipped_is_counted(tmp_path, media_dir, weights_dir, machine):
    found = []
    for slots in (1, 2):
        async with harness(tmp_path / str(slots), weights_dir, slots=slots, segment_seconds=1.0) as work:
            analysis = await work.analyse(media_dir / CLIP, settings())
            assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
            assert analysis.segment_count > 1
            assert 0 < analysis.frames_skipped < analysis.frames_total == analysis.frames_done
            found.append((await work.result(analysis, ResultFormat.JSON), analysis.frames_skipped))
            if slots == 2:
                again = await work.analyse(media_dir / CLIP, settings(tracker=Tracker.SORT))
                assert again.frames_reused == again.frames_total
                assert again.frames_skipped == analysis.frames_skipped
                document = orjson.loads(await work.result(again, ResultFormat.JSON))
                assert document["framesSkipped"] == analysis.frames_skipped
                assert document["settings"]["mode"] == "FAST"
                exact = await work.analyse(media_dir / CLIP, settings(detection=DetectionOptions()))
                assert (exact.frames_reused, exact.frames_skipped, exact.detection_options) == (0, 0, None)
    assert found[0] == found[1]


async def test_detections_of_another_precision_are_not_taken(
    tmp_path, media_dir, weights_dir, machine, caplog
):
    caplog.set_level("INFO")
    async with harness(tmp_path, weights_dir) as work:
        full = await work.analyse(media_dir / CLIP, settings())
        assert precision_of(full) is Precision.FULL
        assert "computed in full precision: the CPU is too old" in caplog.text
        machine(None)
        reduced = await work.analyse(media_dir / CLIP, settings())
        assert precision_of(reduced) is Precision.BF16
        assert reduced.status == AnalysisStatus.SUCCEEDED
        assert reduced.frames_reused == 0
        again = await work.analyse(media_dir / CLIP, settings(tracker=Tracker.SORT))
        assert again.frames_reused == again.frames_total
        haar = await work.analyse(media_dir / CLIP, settings("opencv-haar-face", end_seconds=1.2))
        assert precision_of(haar) is Precision.FULL
