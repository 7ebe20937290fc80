"""Looking at a video again in another way gives what a fresh look would have given, without the model."""

from domain.analyses.files import ResultFormat
from domain.analyses.models import Analysis, AnalysisStatus, Tracker
from domain.analyses.settings import AnalysisSettings
from tests.tasks.harness import Harness, harness

CLIP = "one-by-one-person-detection.mp4"
RANGE = {"start_seconds": 20.0, "end_seconds": 40.0, "frame_stride": 4}
"""Some seconds with persons coming and going, in several segments."""


def settings(**changes) -> AnalysisSettings:
    return AnalysisSettings("yolox-nano", **{"min_confidence": 0.3, **RANGE, **changes})


AGAIN = {
    "another tracker and threshold": settings(tracker=Tracker.OC_SORT, min_confidence=0.5),
    "a label": settings(labels=("person",), tracker=Tracker.BOT_SORT, min_confidence=0.4),
    "two labels and no tracker": settings(labels=("person", "handbag"), tracker=Tracker.NONE),
    "below the first threshold, with a video": settings(
        tracker=Tracker.SORT, min_confidence=0.1, overlay=True
    ),
}


async def results(work: Harness, analysis: Analysis) -> dict[str, bytes]:
    """Every result file but Parquet's, which is compared by its CSV."""
    assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
    return {form: await work.result(analysis, form) for form in ResultFormat if form != "PARQUET"}


async def counts(analysis: Analysis) -> list[tuple[str, int, int]]:
    await analysis.fetch_related("label_totals")
    return sorted((total.label, total.detections, total.tracks) for total in analysis.label_totals)


async def test_reruns_equal_fresh_computations(tmp_path, media_dir, weights_dir):
    found = {}
    async with harness(tmp_path / "again", weights_dir) as work:
        await work.analyse(media_dir / CLIP, settings())
        stored = sorted([key async for key in work.runtime.storage.list("detections")])
        assert len(stored) > 2
        for name, changed in AGAIN.items():
            again = await work.analyse(media_dir / CLIP, changed)
            assert again.frames_reused == again.frames_total > 0
            found[name] = await results(work, again), await counts(again)
        assert sorted([key async for key in work.runtime.storage.list("detections")]) == stored
    for name, changed in AGAIN.items():
        async with harness(tmp_path / name, weights_dir, slots=1) as work:
            fresh = await work.analyse(media_dir / CLIP, changed)
            assert fresh.frames_reused == 0
            assert (await results(work, fresh), await counts(fresh)) == found[name], name


async def test_what_changes_detections_is_computed_anew(tmp_path, media_dir, weights_dir):
    async with harness(tmp_path / "data", weights_dir) as work:
        await work.analyse(media_dir / CLIP, settings())
        for changed in (settings(frame_stride=5), settings(start_seconds=0.0, end_seconds=8.0)):
            assert (await work.analyse(media_dir / CLIP, changed)).frames_reused == 0
