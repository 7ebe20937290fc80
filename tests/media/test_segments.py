import json
from dataclasses import asdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.segments import SegmentPlan, default_target_seconds, plan_segments
from media.timeline import Timeline, TimelineKind


def timeline_of(
    frame_count: int,
    key_frames: list[int],
    *,
    fps: int = 10,
    kind: TimelineKind = TimelineKind.PACKETS,
    start: int = 0,
) -> Timeline:
    flags = np.zeros(frame_count, np.bool_)
    flags[key_frames] = True
    pts = np.arange(frame_count, dtype=np.int64) + start
    return Timeline(pts, flags, Fraction(1, fps), kind, 64, 48, 0, 1)


def starts(plans: list[SegmentPlan]) -> list[int]:
    return [plan.first_frame_index for plan in plans]


@pytest.mark.parametrize(("duration", "target"), [(5, 1), (16, 1), (120, 7.5), (160, 10), (3600, 10)])
def test_default_target(duration: float, target: float) -> None:
    assert default_target_seconds(duration) == target


def test_cuts_lie_at_the_key_frames_nearest_to_the_target() -> None:
    timeline = timeline_of(600, list(range(0, 600, 30)))
    assert starts(plan_segments(timeline, target_seconds=10))[:5] == [0, 90, 180, 270, 360]
    assert starts(plan_segments(timeline, target_seconds=3)) == list(range(0, 600, 30))


def test_the_end_of_a_long_video_is_cut_finer() -> None:
    timeline = timeline_of(600, list(range(0, 600, 30)))
    assert starts(plan_segments(timeline, target_seconds=10))[4:] == [360, 420, 480, 540]


def test_the_first_segment_reads_from_the_start_and_the_last_to_the_end() -> None:
    plans = plan_segments(timeline_of(600, list(range(0, 600, 30))), target_seconds=10)
    assert plans[0].seek_pts is None
    assert plans[-1].end_pts is None
    assert [plan.seek_pts for plan in plans[1:]] == [plan.start_pts for plan in plans[1:]]


def test_long_groups_of_a_short_video_are_halved() -> None:
    plans = plan_segments(timeline_of(100, [0]), target_seconds=1)
    assert starts(plans) == [0, 50]
    assert [plan.seek_pts for plan in plans] == [None, None]
    plans = plan_segments(timeline_of(100, [0, 60]), target_seconds=1)
    assert starts(plans) == [0, 30, 60, 80]
    assert [plan.seek_pts for plan in plans] == [None, None, 60, 60]


def test_a_video_as_long_as_the_target_is_one_segment() -> None:
    assert len(plan_segments(timeline_of(100, [0, 50]), target_seconds=10)) == 1


def test_enough_segments_are_not_halved() -> None:
    assert starts(plan_segments(timeline_of(400, [0, 100, 200, 300]), target_seconds=1)) == [0, 100, 200, 300]


def test_a_sequential_timeline_is_one_segment() -> None:
    timeline = timeline_of(100, [0], kind=TimelineKind.SEQUENTIAL)
    assert starts(plan_segments(timeline, target_seconds=1)) == [0]


def test_a_part_begins_between_key_frames() -> None:
    timeline = timeline_of(600, list(range(0, 600, 30)))
    plans = plan_segments(timeline, target_seconds=10, start_seconds=10, end_seconds=50)
    assert plans[0].first_frame_index == 100
    assert plans[0].seek_pts == 90
    assert plans[-1].end_pts == 500
    assert sum(plan.frame_count for plan in plans) == 400


def test_a_part_without_frames_has_no_segments() -> None:
    timeline = timeline_of(100, [0], start=50)
    assert plan_segments(timeline, target_seconds=1, start_seconds=20) == []
    assert plan_segments(timeline, target_seconds=1, end_seconds=2) == []


def test_plans_survive_json() -> None:
    plans = plan_segments(timeline_of(600, list(range(0, 600, 30))), target_seconds=10, end_seconds=42)
    assert [SegmentPlan(**json.loads(json.dumps(asdict(plan)))) for plan in plans] == plans


@given(
    frame_count=st.integers(1, 300),
    key_frames=st.sets(st.integers(0, 299)),
    target=st.floats(0.01, 40),
    bounds=st.tuples(st.floats(0, 30), st.floats(0, 30)) | st.none(),
)
def test_every_frame_is_in_exactly_one_segment(
    frame_count: int, key_frames: set[int], target: float, bounds: tuple[float, float] | None
) -> None:
    timeline = timeline_of(frame_count, sorted({0, *(index for index in key_frames if index < frame_count)}))
    start, end = bounds or (None, None)
    plans = plan_segments(timeline, target_seconds=target, start_seconds=start, end_seconds=end)
    covered = [
        index
        for plan in plans
        for index in range(plan.first_frame_index, plan.first_frame_index + plan.frame_count)
    ]
    times = timeline.timestamps_seconds
    assert covered == [
        index
        for index in range(frame_count)
        if (start is None or times[index] >= start) and (end is None or times[index] < end)
    ]
    for number, plan in enumerate(plans):
        assert plan.number == number
        assert timeline.pts[plan.first_frame_index] == plan.start_pts
        assert plan.seek_pts is None or timeline.key_frame[plan.seek_pts]
        assert plan.seek_pts is None or plan.seek_pts <= plan.start_pts
        after = plan.first_frame_index + plan.frame_count
        assert plan.end_pts == (timeline.pts[after] if after < frame_count else None)
