"""A track has the detection that began it."""

import numpy as np

from ml_models.tracking.base import NO_TRACK
from tasks.process.beginnings import take_beginnings
from tasks.results.table import SegmentTable, SegmentTableBuilder

LEFT, RIGHT = (0, 0, 40, 40), (100, 0, 140, 40)
NEAR_LEFT = (3, 0, 43, 40)


def begun(frames, ids, *, known=(), cuts=(), labels=None):
    """Frames are lists of (box, confidence); the tracks of all detections afterwards."""
    builder = SegmentTableBuilder()
    for index, found in enumerate(frames, 10):
        boxes = np.array([box for box, _ in found], dtype=np.float32).reshape(-1, 4)
        confidences = np.array([confidence for _, confidence in found], dtype=np.float32)
        names = (labels or {}).get(index, ["face"] * len(found))
        builder.add(index, index / 25, boxes, confidences, names, None, None)
    segment = SegmentTable.from_parquet(builder.build().to_parquet())
    numbers = np.array(ids, dtype=np.int64)
    take_beginnings(segment, numbers, known, cuts, 0.5)
    return numbers.tolist()


def test_the_frame_before_gives_each_track_its_nearest_detection():
    frames = [[(RIGHT, 0.9), (LEFT, 0.9)], [(NEAR_LEFT, 0.9), (RIGHT, 0.9)], [(LEFT, 0.9)]]
    assert begun(frames, [NO_TRACK, NO_TRACK, 1, 2, 1]) == [2, 1, 1, 2, 1]


def test_of_two_tracks_the_one_that_overlaps_it_more_takes_a_detection():
    frames = [[(LEFT, 0.9)], [(NEAR_LEFT, 0.9), (LEFT, 0.9)]]
    assert begun(frames, [NO_TRACK, 1, 2]) == [2, 1, 2]


def test_nothing_is_taken_that_did_not_begin_it():
    after = [(LEFT, 0.9)]
    assert begun([[(RIGHT, 0.9)], after], [NO_TRACK, 1]) == [NO_TRACK, 1]  # elsewhere
    assert begun([[(LEFT, 0.4)], after], [NO_TRACK, 1]) == [NO_TRACK, 1]  # too weak
    assert begun([[(LEFT, 0.9)], after], [7, 1]) == [7, 1]  # another track's
    assert begun([[(LEFT, 0.9)], [], after], [NO_TRACK, 1]) == [NO_TRACK, 1]  # not the frame before
    assert begun([[(LEFT, 0.9)], after], [NO_TRACK, 1], cuts={11}) == [NO_TRACK, 1]  # another shot
    assert begun([[(LEFT, 0.9)], after], [NO_TRACK, 1], known={1}) == [NO_TRACK, 1]  # it goes on
    assert begun([[(LEFT, 0.9)], after], [NO_TRACK, 1], labels={10: ["hand"]}) == [NO_TRACK, 1]
    assert begun([after], [1]) == [1]
    assert begun([[]], []) == []
