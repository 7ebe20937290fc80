"""How long an analysis will take from now: while it detects, and while it draws the overlay."""

import time

import pytest

from domain.analyses.models import Analysis, AnalysisStatus
from domain.analyses.progress import take_snapshot
from domain.analyses.remaining import active_seconds, note_drawing_has_not_begun, remaining_seconds, units
from tests.domain.analyses.rows import make_analysis, make_user


def running(**values):
    """An analysis of 100 frames that has been RUNNING for 10 seconds."""
    return Analysis(
        **{
            "status": AnalysisStatus.RUNNING,
            "frames_total": 100,
            "frame_stride": 1,
            "active_seconds": 10.0,
            "running_since": time.time(),
            **values,
        }
    )


def test_what_is_left_takes_as_long_as_what_was_done():
    assert remaining_seconds(running(frames_done=50)) == pytest.approx(10, rel=0.1)
    assert remaining_seconds(running(frames_done=50, frames_reused=25)) == pytest.approx(20, rel=0.1)
    assert remaining_seconds(running()) is None
    assert remaining_seconds(running(frames_done=50, status=AnalysisStatus.PAUSED)) is None


def test_the_overlay_counts_more_where_few_frames_were_looked_at():
    exact = running(frames_done=50, overlay=True)
    fast = running(frames_done=50, overlay=True, detection_options={"mode": "FAST"})
    assert remaining_seconds(exact) == pytest.approx(20, rel=0.1)
    assert remaining_seconds(fast) == pytest.approx(30, rel=0.1)


@pytest.mark.parametrize("options", [None, {"mode": "FAST"}])
@pytest.mark.parametrize("stride", [1, 5])
def test_while_it_is_drawn_only_the_speed_of_drawing_counts(options, stride):
    """40 of the video's frames in 8 seconds, however fast the others were detected."""
    drawing = running(
        frames_done=100,
        overlay=True,
        overlay_frames_done=40,
        frame_stride=stride,
        running_since=time.time() - 8,
        detection_options=options,
    )
    assert remaining_seconds(drawing) == pytest.approx(8 * (100 * stride - 40) / 40, rel=0.1)
    drawing.overlay_frames_done = 100 * stride
    assert remaining_seconds(drawing) == 0
    done, whole = units(drawing)
    assert done == whole


def test_with_a_stride_the_overlay_is_not_done_before_its_end():
    started = running(frames_done=100, overlay=True, overlay_frames_done=100, frame_stride=5)
    assert units(started) == (110, 150)


async def test_the_time_before_drawing_is_told_apart_and_nothing_of_it_is_lost(database):
    analysis = await make_analysis(await make_user(), segments=1)
    now = time.time()
    await Analysis.filter(id=analysis.id).update(
        status=AnalysisStatus.RUNNING,
        overlay=True,
        frames_total=5,
        frames_done=5,
        running_since=now - 60,
        active_seconds=40.0,
    )
    await note_drawing_has_not_begun(analysis.id, analysis.fence + 1)
    assert (await Analysis.get(id=analysis.id)).running_since == pytest.approx(now - 60), "of another claim"
    await note_drawing_has_not_begun(analysis.id, analysis.fence)
    row = await Analysis.get(id=analysis.id)
    assert row.running_since >= now
    assert active_seconds(row) == pytest.approx(100, rel=0.05)
    await Analysis.filter(id=analysis.id).update(overlay_frames_done=1, running_since=now - 30)
    await note_drawing_has_not_begun(analysis.id, analysis.fence)
    assert (await Analysis.get(id=analysis.id)).running_since == pytest.approx(now - 30), "it draws already"
    snapshot = await take_snapshot(analysis.id)
    assert snapshot.eta_seconds == pytest.approx(4 * 30, rel=0.1)
