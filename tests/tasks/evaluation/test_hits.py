"""Recall and precision, on boxes drawn for it."""

import numpy as np
import pytest

from tasks.evaluation.hits import Hits, count_hits

BOX = [0.0, 0, 10, 10]
BESIDE = [20.0, 0, 30, 10]


def count(truth, found, ignored=(), confidences=None):
    boxes = np.array([*truth, *ignored], dtype=np.float64).reshape(-1, 4)
    is_ignored = np.array([False] * len(truth) + [True] * len(ignored), dtype=bool)
    return count_hits(
        boxes, is_ignored, np.array(found, dtype=np.float64).reshape(-1, 4), confidences or [0.9] * len(found)
    )


@pytest.mark.parametrize(
    ("truth", "found", "ignored", "expected"),
    [
        ([], [], [], Hits(0, 0, 0)),
        ([BOX], [], [], Hits(0, 1, 0)),
        ([], [BOX], [], Hits(0, 0, 1)),
        ([BOX, BESIDE], [BESIDE, BOX], [], Hits(2, 2, 0)),
        ([BOX], [BOX, [0, 0, 10, 9]], [], Hits(1, 1, 1)),
        ([BOX], [[0, 0, 10, 5]], [], Hits(1, 1, 0)),
        ([BOX], [[0, 0, 10, 4.9]], [], Hits(0, 1, 1)),
        ([BOX], [BOX, BESIDE], [[15, 0, 100, 100]], Hits(1, 1, 0)),
        ([], [BESIDE], [[26, 0, 100, 100]], Hits(0, 0, 1)),
    ],
)
def test_boxes_are_counted(truth, found, ignored, expected):
    assert count(truth, found, ignored) == expected


def test_the_surest_box_takes_the_thing():
    near, exact = [0.0, 0, 10, 8], BOX
    assert count([BOX, [0, 0, 10, 7]], [near, exact], confidences=[0.5, 0.9]) == Hits(2, 2, 0)
    assert count([BOX], [near, exact], confidences=[0.9, 0.5]) == Hits(1, 1, 1)


def test_shares():
    both = Hits(1, 2, 0) + Hits(0, 2, 3)
    assert (both.recall, both.precision) == (0.25, 0.25)
    assert (Hits().recall, Hits().precision) == (None, None)
