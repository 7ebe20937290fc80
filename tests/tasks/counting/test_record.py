"""The entry `counting` of results, and its agreement with what the tracking counted."""

import numpy as np

from tasks.counting.counter import Visit
from tasks.counting.record import count_tracks, occupancy_over_time
from tasks.results.table import SegmentTable
from tests.tasks.counting.things import HEIGHT, ROOM, UP, WIDTH
from tests.tasks.tables import tracked

COUNTING = {
    "lines": [{**UP, "labels": None, "anchor": "BOTTOM_CENTER"}],
    "zones": [{**ROOM, "labels": None, "anchor": "BOTTOM_CENTER"}],
}


def table(frames):
    """Frames are lists of (track id, x of the feet); every third is 0.1 s after the one before."""
    return tracked(
        [
            (
                number,
                number / 10,
                [("person", 0.9, (x - 10.0, 240.0, x + 10.0, 300.0), track_id) for track_id, x in things],
            )
            for number, things in enumerate(frames)
        ]
    )


def test_crossings_visits_and_occupancy():
    frames = [[(1, 350 + 50 * step)] for step in range(7)] + [[(1, 700), (2, 450)], [(2, 450)], [(2, 450)]]
    found = count_tracks([table(frames)], COUNTING, WIDTH, HEIGHT, {1: 0.7, 2: 0.9})
    assert found["lines"] == [
        {
            **COUNTING["lines"][0],
            "in": 1,
            "out": 0,
            "byLabel": [{"label": "person", "in": 1, "out": 0}],
            "crossings": [{"timestampSeconds": 0.4, "trackId": 1, "label": "person", "direction": "IN"}],
        }
    ]
    (zone,) = found["zones"]
    assert zone["visits"] == [
        {"trackId": 1, "label": "person", "enteredSeconds": 0.1, "leftSeconds": 0.5, "dwellSeconds": 0.4,
         "wentOut": True},
        {"trackId": 2, "label": "person", "enteredSeconds": 0.7, "leftSeconds": 0.9, "dwellSeconds": 0.2,
         "wentOut": False},
    ]  # fmt: skip
    assert zone["occupancy"] == [
        {"timestampSeconds": 0.1, "count": 1},
        {"timestampSeconds": 0.5, "count": 0},
        {"timestampSeconds": 0.7, "count": 1},
    ]
    assert (zone["entries"], zone["exits"], zone["maxOccupancy"]) == (2, 1, 1)
    assert zone["meanDwellSeconds"] == 0.3
    assert zone["byLabel"] == [{"label": "person", "entries": 2, "exits": 1}]


def test_occupancy_of_visits_that_overlap_and_touch():
    def visit(entered, left):
        return Visit(0, 1, "x", entered, left, went_out=True)

    assert occupancy_over_time([visit(0, 3), visit(1, 2), visit(3, 4)]) == [(0, 1), (1, 2), (2, 1), (4, 0)]
    assert occupancy_over_time([]) == []


def test_those_who_are_still_there_at_the_end_do_not_leave():
    frames = [[(1, 450), (2, 500)], [(1, 450), (2, 500)], [(1, 450)], [(1, 450)]]
    last_seconds = {1: 0.3, 2: 0.1}

    def ends(present):
        found = count_tracks([table(frames)], COUNTING, WIDTH, HEIGHT, last_seconds, present)
        return found["zones"][0]["occupancy"]

    both = {"timestampSeconds": 0.0, "count": 2}
    assert ends([2]) == [both], "the tracker still looks for the one that is lost"
    assert ends([1]) == ends(None) == [both, {"timestampSeconds": 0.1, "count": 1}]


def test_nothing_seen_counts_nothing():
    empty = table([])
    nothing = SegmentTable(empty.detections, np.arange(3), np.array([0.0, 0.1, 0.2]))
    found = count_tracks([nothing], COUNTING, WIDTH, HEIGHT, {})
    assert found["lines"][0]["in"] == 0
    assert found["zones"][0]["meanDwellSeconds"] is None
    assert found["zones"][0]["maxOccupancy"] == 0
