"""The scores of small registers that can be reckoned by hand."""

from pathlib import Path

import pytest

from benchmarks.people_scores import FoundFace, score, score_items
from tests.people_truth import Clip, Face, Stay

LEFT, RIGHT = (0.0, 0.0, 100.0, 100.0), (200.0, 0.0, 300.0, 100.0)


def test_people_who_are_found_as_they_are_score_full():
    scores = score_items([("a", True, 1)] * 3 + [("b", True, 2)] * 2, {})
    assert (scores.real, scores.found, scores.known, scores.false_merges) == (2, 2, 2, 0)
    assert (scores.precision, scores.recall, scores.f1) == (1, 1, 1)
    assert (scores.person_precision, scores.person_recall) == (1, 1)


def test_two_who_become_one_cost_precision():
    scores = score_items([("a", True, 1)] * 3 + [("b", True, 1)], {})
    assert (scores.found, scores.known, scores.false_merges) == (1, 1, 1)
    assert scores.precision == pytest.approx((3 * 3 + 1) / 4 / 4)
    assert scores.recall == 1
    assert scores.person_recall == 0.5


def test_one_who_becomes_two_or_is_missed_costs_recall():
    scores = score_items([("a", True, 1)] * 2 + [("a", True, 2), ("a", True, None)], {})
    assert (scores.found, scores.known, scores.false_merges) == (2, 1, 0)
    assert scores.precision == 1
    assert scores.recall == pytest.approx((2 * 2 + 1) / 4 / 4)
    assert scores.person_precision == 0.5


def test_who_need_not_be_found_counts_only_if_taken_for_another():
    unclear = ("c", False, 3)
    scores = score_items([("a", True, 1), unclear, ("d", False, None)], {})
    assert (scores.real, scores.found, scores.known, scores.f1) == (1, 1, 1, 1)
    merged = score_items([("a", True, 1), ("c", False, 1)], {})
    assert (merged.false_merges, merged.precision) == (1, 0.5)


def test_a_person_made_of_what_is_no_face_is_one_too_many():
    scores = score_items([("a", True, 1)], {2: 1})
    assert (scores.found, scores.known, scores.nobody, scores.precision) == (2, 1, 1, 0.5)


def test_faces_are_matched_by_place_and_frame():
    clip = Clip("clip", Path("clip.mp4"), ((Face("a", LEFT), Face("b", RIGHT)), (Face("a", LEFT),)))
    found = [
        FoundFace(0, (10, 10, 90, 90), "x"),
        FoundFace(0, (210, 10, 290, 90), "y"),
        FoundFace(1, (10, 10, 90, 90), "x"),
        FoundFace(1, (400, 10, 490, 90), "y"),
    ]
    scores = score([clip], {"clip": found})
    assert (scores.real, scores.found, scores.known, scores.false_merges) == (2, 2, 2, 0)
    assert scores.precision == pytest.approx((2 + 0.5) / 4)  # of the two faces of y one is nobody's
    assert scores.recall == 1


def test_a_stay_moves_with_its_person():
    stay = Stay("a", 10, 20, LEFT, RIGHT)
    assert stay.at(9, RIGHT) is None
    assert stay.at(15, RIGHT).box == (100, 0, 200, 100)
    assert Stay("a", 0, 5).at(3, RIGHT).box == RIGHT
