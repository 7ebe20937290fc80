"""Comparing two runs: against a plain frame-by-frame reference, and on cases that can be counted by hand."""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.results.comparison import Comparer, Comparison
from tasks.results.table import SegmentTable
from tests.tasks.tables import tracked

Frames = list[tuple[int, float, list[Any]]]


def compare(first: list[SegmentTable], second: list[SegmentTable]) -> Comparison:
    comparer = Comparer()
    left = [iter(first), iter(second)]
    while (number := comparer.behind()) is not None:
        comparer.add(number, next(left[number], None))
    return comparer.result()


def found(label: str, x: float, track: int | None = None, width: float = 10) -> Any:
    return (label, 0.9, (x, 0.0, x + width, 10.0), track)


def test_a_run_agrees_with_itself():
    table = tracked([(0, 0.0, [found("face", 5, 1)]), (1, 0.1, [found("face", 6, 1), found("face", 60, 2)])])
    result = compare([table], [table])
    assert (result.agreement, result.mean_iou, result.matched, result.frames) == (1.0, 1.0, 3, 2)
    assert result.iou_histogram == (0,) * 9 + (3,)
    assert [(pair.track_id_a, pair.track_id_b) for pair in result.tracks] == [(1, 1), (2, 2)]
    assert result.lost_track_ids == result.new_track_ids == ()


def test_what_only_one_has_is_lost_or_new():
    first = tracked([(0, 0.0, [found("face", 0, 1), found("face", 50, 2)]), (1, 0.1, [found("face", 0, 1)])])
    second = tracked(
        [(0, 0.0, [found("face", 2, 7)]), (1, 0.1, [found("face", 0, 7), found("person", 0, 8)])]
    )
    result = compare([first], [second])
    assert (result.detections_a, result.detections_b, result.matched) == (3, 3, 2)
    assert result.agreement == pytest.approx(2 * 2 / 6)
    assert [(pair.track_id_a, pair.track_id_b, pair.detections) for pair in result.tracks] == [(1, 7, 2)]
    assert (result.lost_track_ids, result.new_track_ids) == ((2,), (8,))
    assert [(one.label, one.detections_a, one.detections_b, one.matched) for one in result.labels] == [
        ("face", 3, 2, 2),
        ("person", 0, 1, 0),
    ]
    assert result.labels[1].tracks_b == 1


def test_boxes_too_far_apart_are_in_the_histogram_but_do_not_match():
    # 8 of 12 pixels in common: 2/3. 4 of 16: 1/4.
    first = tracked([(0, 0.0, [found("face", 0), found("face", 100)])])
    second = tracked([(0, 0.0, [found("face", 2), found("face", 106)])])
    result = compare([first], [second])
    assert result.matched == 1
    assert result.mean_iou == pytest.approx(2 / 3)
    assert result.iou_histogram == (0, 0, 1, 0, 0, 0, 1, 0, 0, 0)


def test_only_frames_that_both_looked_at_count():
    every = [tracked([(n, n / 10, [found("face", n, 1)]) for n in range(6)])]
    second = [tracked([(n, n / 10, [found("face", n, 4)])]) for n in range(0, 12, 2)]
    result = compare(every, second)
    assert (result.frames, result.detections_a, result.detections_b, result.agreement) == (3, 3, 3, 1.0)


def test_two_runs_that_found_nothing_agree():
    table = tracked([(0, 0.0, []), (1, 0.1, [])])
    result = compare([table], [table])
    assert (result.agreement, result.mean_iou, result.frames) == (1.0, None, 2)
    assert compare([], []).agreement == 1.0


def reference(first: Frames, second: Frames) -> tuple[int, list[int]]:
    """Greedy matching as a double loop over boxes of one height."""
    by_frame = [{frame: boxes for frame, _, boxes in run} for run in (first, second)]
    matched, histogram = 0, [0] * 10
    for frame in by_frame[0].keys() & by_frame[1].keys():
        a, b = by_frame[0][frame], by_frame[1][frame]
        pairs = []
        for i, one in enumerate(a):
            for j, other in enumerate(b):
                common = max(0, min(one[2][2], other[2][2]) - max(one[2][0], other[2][0])) * 10
                iou = common / ((one[2][2] - one[2][0] + other[2][2] - other[2][0]) * 10 - common)
                if one[0] == other[0] and iou > 0:
                    pairs.append((-iou, i, j))
        used: dict[str, set[int]] = defaultdict(set)
        for negative, i, j in sorted(pairs):
            if i in used["a"] or j in used["b"]:
                continue
            used["a"].add(i)
            used["b"].add(j)
            histogram[min(9, int(-negative * 10))] += 1
            matched += -negative >= 0.5
    return matched, histogram


boxes = st.lists(
    st.tuples(st.sampled_from(["face", "person"]), st.integers(0, 20), st.integers(1, 3), st.integers(7, 13)),
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(boxes, max_size=8), st.lists(boxes, max_size=8), st.integers(1, 4), st.integers(1, 4))
def test_it_equals_a_plain_double_loop(first, second, first_length, second_length):
    runs: list[Frames] = [
        [
            (n, n / 10, [found(label, x, track, width) for label, x, track, width in frame])
            for n, frame in enumerate(run)
        ]
        for run in (first, second)
    ]
    tables = [
        [tracked(run[start : start + length]) for start in range(0, len(run), length)]
        for run, length in zip(runs, (first_length, second_length), strict=True)
    ]
    result = compare(*tables)
    matched, histogram = reference(*runs)
    assert result.matched == matched
    assert list(result.iou_histogram) == histogram
