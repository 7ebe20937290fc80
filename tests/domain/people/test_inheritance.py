"""Faces of other analyses of the same video are known again by where they are."""

from uuid import uuid4

import pytest

from domain.people.inheritance import Decisions, _boxes

PERSON = uuid4()


def walk(*times: float, left: float = 0.0) -> list[list[float]]:
    """Where a face of 100 pixels is that moves 5 pixels a second to the right."""
    return [[time, left + 5 * time, 50.0, left + 5 * time + 100, 150.0] for time in times]


LONG = walk(0, 8, 16, 24, 32)


@pytest.mark.parametrize("short", [walk(9, 9.5, 10), walk(12), walk(30, 31, 32, 33, 34), walk(7.5, 8, 8.5)])
def test_a_short_track_is_found_between_the_places_of_a_long_one(short: list[list[float]]) -> None:
    known = Decisions([(_boxes(LONG), PERSON)], [])
    forgotten = Decisions([], [_boxes(LONG)])

    assert known.of(short) == (True, PERSON)
    assert forgotten.is_forgotten(1, short)


@pytest.mark.parametrize(
    "other", [walk(9, 10, left=200), walk(32.5, 33), walk(40), [], walk(0, left=90), walk(8, left=90)]
)
def test_who_is_elsewhere_or_seen_at_other_times_is_somebody_else(other: list[list[float]]) -> None:
    assert Decisions([(_boxes(LONG), PERSON)], []).of(other) == (False, None)
    assert not Decisions([], [_boxes(LONG)]).is_forgotten(1, other)


def test_who_agrees_most_is_taken() -> None:
    near, nearer = walk(0, 8, 16, left=30), walk(0, 8, 16, left=5)
    decisions = Decisions([(_boxes(near), uuid4()), (_boxes(nearer), PERSON)], [])

    assert decisions.of(walk(3, 5)) == (True, PERSON)
