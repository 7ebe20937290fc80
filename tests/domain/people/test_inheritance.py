"""Faces of other analyses of the same video are known again by where they are."""

from uuid import UUID, uuid4

import numpy as np
import pytest

from domain.people.inheritance import Decided, Decisions, Look, _boxes
from tests.domain.people.worlds import between, face

PERSON = uuid4()
LIKE = 0.35


def look(embedding: np.ndarray, model: str = "made-up") -> Look:
    return Look(embedding.tobytes(), model)


ADA = look(face(1))


def decided(places: list[list[float]], person_id: UUID | None = PERSON, like: Look = ADA) -> Decided:
    return Decided(_boxes(places), person_id, like)


def walk(*times: float, left: float = 0.0) -> list[list[float]]:
    """Where a face of 100 pixels is that moves 5 pixels a second to the right."""
    return [[time, left + 5 * time, 50.0, left + 5 * time + 100, 150.0] for time in times]


LONG = walk(0, 8, 16, 24, 32)


@pytest.mark.parametrize("short", [walk(9, 9.5, 10), walk(12), walk(30, 31, 32, 33, 34), walk(7.5, 8, 8.5)])
def test_a_short_track_is_found_between_the_places_of_a_long_one(short: list[list[float]]) -> None:
    known = Decisions([decided(LONG)], [])
    forgotten = Decisions([], [_boxes(LONG)])

    assert known.of(short, ADA) == (True, PERSON)
    assert forgotten.is_forgotten(1, short)


@pytest.mark.parametrize(
    "other", [walk(9, 10, left=200), walk(32.5, 33), walk(40), [], walk(0, left=90), walk(8, left=90)]
)
def test_who_is_elsewhere_or_seen_at_other_times_is_somebody_else(other: list[list[float]]) -> None:
    assert Decisions([decided(LONG)], []).of(other, ADA) == (False, None)
    assert not Decisions([], [_boxes(LONG)]).is_forgotten(1, other)


def test_who_agrees_most_is_taken() -> None:
    near, nearer = walk(0, 8, 16, left=30), walk(0, 8, 16, left=5)
    decisions = Decisions([decided(near, uuid4()), decided(nearer)], [])

    assert decisions.of(walk(3, 5), ADA) == (True, PERSON)


def test_who_looks_otherwise_inherits_nothing() -> None:
    decisions = Decisions([decided(LONG)], [], like_similarity=LIKE)

    assert decisions.of(walk(9, 10), look(face(1, 3))) == (True, PERSON)
    assert decisions.of(walk(9, 10), look(face(5))) == (False, None)
    # Another model's cannot be compared: the place tells.
    assert decisions.of(walk(9, 10), look(face(5), "another")) == (True, PERSON)


def test_who_is_most_alike_is_taken() -> None:
    both = look(between(face(1), face(5), 0.4))
    decisions = Decisions(
        [decided(LONG, uuid4(), both), decided(walk(0, 8, 16, left=30)), decided(LONG, None, look(face(9)))],
        [],
        like_similarity=LIKE,
    )

    assert decisions.of(walk(3, 5), ADA) == (True, PERSON)
