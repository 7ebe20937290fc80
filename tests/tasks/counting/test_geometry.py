"""Sides, distances and insides, against shapely-like truths that are plain to see."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.counting.geometry import distance_to_edge, is_inside, place_along, side_of

SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))
HOOK = ((0, 0), (30, 0), (30, 30), (20, 30), (20, 10), (0, 10))


@pytest.mark.parametrize(
    ("start", "end", "point", "side"),
    [
        ((0, 5), (10, 5), (5, 8), 3),  # going right, what is below is to the right
        ((0, 5), (10, 5), (5, 1), -4),
        ((5, 10), (5, 0), (7, 3), 2),  # going up, right is right
        ((5, 0), (5, 10), (7, 3), -2),  # going down, right is left
        ((0, 0), (10, 10), (4, 4), 0),
    ],
)
def test_right_is_seen_from_start_to_end(start, end, point, side):
    assert side_of(start, end, point) == pytest.approx(side)


def test_places_along_a_line():
    assert place_along((0, 0), (10, 0), (2.5, 7)) == 0.25
    assert place_along((0, 0), (10, 0), (-5, 7)) == -0.5


@pytest.mark.parametrize(
    ("polygon", "point", "inside"),
    [
        (SQUARE, (5, 5), True),
        (SQUARE, (11, 5), False),
        (SQUARE, (5, -0.1), False),
        (HOOK, (25, 20), True),
        (HOOK, (10, 20), False),
        (HOOK, (10, 5), True),
        (HOOK[::-1], (10, 5), True),
        (((0, 0), (10, 10), (10, 0), (0, 10)), (5, 1), False),  # an hourglass
        (((0, 0), (10, 10), (10, 0), (0, 10)), (1, 5), True),
    ],
)
def test_insides(polygon, point, inside):
    assert is_inside(polygon, point) is inside


@pytest.mark.parametrize(
    ("point", "distance"), [((5, 5), 5), ((5, 12), 2), ((13, 14), 5), ((10, 10), 0), ((9, 3), 1)]
)
def test_distances_to_the_edge(point, distance):
    assert distance_to_edge(SQUARE, point) == pytest.approx(distance)


numbers = st.floats(-100, 100)
points = st.tuples(numbers, numbers)


@given(start=points, end=points, point=points)
def test_the_other_way_round_sides_are_exchanged(start, end, point):
    assume(math.dist(start, end) > 1e-3)
    assert side_of(start, end, point) == pytest.approx(-side_of(end, start, point), abs=1e-6)
