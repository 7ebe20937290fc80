"""Models that crash, eat, sleep and raise: each fails its own analysis, with its own words, and no other."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from domain.analyses.files import ResultFormat
from domain.analyses.models import Analysis, AnalysisStatus, Segment, Tracker
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from tests.samples import make_plain
from tests.tasks.harness import Harness, harness
from tests.tasks.plugin import TROUBLEMAKERS

LIMITS = {
    "base_time_limit_seconds": 30.0,
    "frame_time_limit_seconds": 0.05,
    "stall_seconds": 5.0,
    "analysis_process_memory_bytes": 2**30,
}
"""Small, so that what hangs is ended soon; what works passes them with ease, also on a busy machine."""

MARKER = AnalysisSettings("frame-marker", tracker=Tracker.SORT, min_confidence=0.2)
HEALTHY = ("gestures/eat.mkv", "nasa_13013.mp4", "short_hamilton_clip.mp4")

REASONS = {
    "crashes": "crashed with signal 11 (SIGSEGV)",
    "crashes-late": "crashed with signal 11 (SIGSEGV)",
    "raises": "the lens cap is on",
    "sleeps": "timed out after 5 s without progress",
    "hangs": "timed out after 5 s without progress",
    "eats-in-pieces": "out of memory at 1024 MB",
    "eats-at-once": "out of memory at 1024 MB",
}


@dataclass
class Trouble:
    analysis: Analysis
    model: str


def test_each_troublemaker_has_its_reason():
    assert REASONS.keys() == set(TROUBLEMAKERS)


@pytest.fixture
def numbered_clip(tmp_path: Path) -> Path:
    """Frames that show their number; the late crash happens in one of its segments alone."""
    return make_plain(tmp_path / "numbered.mp4", frame_count=120)


async def results(work: Harness, analysis: Analysis) -> dict[ResultFormat, bytes]:
    return {form: await work.result(analysis, form) for form in ResultFormat if form != "PARQUET"}


async def healthy_results(work: Harness) -> list[dict[ResultFormat, bytes]]:
    """Of the three videos, once everything has come to its end."""
    found = []
    for analysis in await Analysis.filter(ml_model="frame-marker").order_by("created_at"):
        assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
        found.append(await results(work, analysis))
    assert len(found) == len(HEALTHY)
    return found


async def begin_healthy(work: Harness, media_dir: Path) -> None:
    for name in HEALTHY:
        await create_analysis(work.owner.id, await work.add_video(media_dir / name), MARKER)


async def begin_trouble(work: Harness, model: str, clip: Path) -> Trouble:
    settings = AnalysisSettings(model, tracker=Tracker.NONE, min_confidence=0.0)
    return Trouble(await create_analysis(work.owner.id, await work.add_video(clip), settings), model)


async def test_trouble_stays_with_its_own_analysis(plugin, tmp_path, media_dir, numbered_clip):
    async with harness(tmp_path / "alone", None, **LIMITS) as work:
        await begin_healthy(work, media_dir)
        await work.work()
        alone = await healthy_results(work)
    async with harness(tmp_path / "beside", None, **LIMITS) as work:
        troubles = [await begin_trouble(work, model, numbered_clip) for model in TROUBLEMAKERS]
        await begin_healthy(work, media_dir)
        async with asyncio.timeout(300):
            await work.work()
        beside = await healthy_results(work)
        for trouble in troubles:
            await check_failure(trouble)
        await check_recovery(work, numbered_clip)
    assert beside == alone


async def check_failure(trouble: Trouble) -> None:
    """FAILED with its own words; the segment to blame was tried three times, none more often."""
    analysis = await Analysis.get(id=trouble.analysis.id)
    assert analysis.status == AnalysisStatus.FAILED, trouble.model
    message = str(analysis.error_message)
    assert REASONS[trouble.model] in message, (trouble.model, message)
    assert "3 times" in message, (trouble.model, message)
    assert not any(reason in message for reason in set(REASONS.values()) - {REASONS[trouble.model]}), message
    attempts = [segment.attempts for segment in await Segment.filter(analysis_id=analysis.id)]
    assert max(attempts) == 3, (trouble.model, attempts)


async def check_recovery(work: Harness, clip: Path) -> None:
    """The same processes go on to do their work afterwards."""
    analysis = await work.analyse(clip, MARKER)
    assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message


async def test_a_late_crash_keeps_the_segments_before_it(plugin, tmp_path, numbered_clip):
    async with harness(tmp_path / "data", None, slots=1, segment_seconds=1.0, **LIMITS) as work:
        trouble = await begin_trouble(work, "crashes-late", numbered_clip)
        await work.work()
        await check_failure(trouble)
        segments = await Segment.filter(analysis_id=trouble.analysis.id).order_by("number")
        (guilty,) = [segment for segment in segments if segment.last_failure]
        plan = guilty.plan
        assert plan["first_frame_index"] <= 100 < plan["first_frame_index"] + plan["frame_count"]
        assert plan["first_frame_index"] > 0
        done = [segment.number for segment in segments if segment.status == "DONE"]
        assert done == list(range(guilty.number))


async def test_one_may_try_less_often(plugin, tmp_path, media_dir):
    async with harness(tmp_path / "data", None, max_attempts=1, **LIMITS) as work:
        analysis = await work.analyse(
            media_dir / "gestures" / "eat.mkv", AnalysisSettings("crashes", min_confidence=0.0)
        )
        assert analysis.status == AnalysisStatus.FAILED
        assert "crashed with signal 11 (SIGSEGV)" in str(analysis.error_message)
        assert "3 times" not in str(analysis.error_message)
