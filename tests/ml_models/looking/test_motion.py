"""Still frames are told from moving ones."""

import numpy as np
import pytest

from ml_models.looking.motion import MOST_STILL_FRAMES, THRESHOLD_LEVELS, MotionGate
from ml_models.looking.region import Region


def grid(gate: MotionGate, level: int = 100) -> np.ndarray:
    return np.full(gate.size[::-1], level, dtype=np.uint8)


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(1920, 1080, (96, 54)), (480, 960, (48, 96)), (40, 20, (40, 20)), (5000, 2, (96, 1)), (1, 1, (1, 1))],
)
def test_the_grid_follows_the_frame(width, height, size):
    assert MotionGate(width, height).size == size


def test_one_cell_that_changes_enough_is_motion():
    gate = MotionGate(1920, 1080)
    frame = grid(gate)
    assert not gate.is_still(frame)
    almost = frame.copy()
    almost[3, 5] += THRESHOLD_LEVELS - 1
    assert gate.is_still(almost)
    moved = frame.copy()
    moved[3, 5] += THRESHOLD_LEVELS
    assert not gate.is_still(moved)
    assert gate.is_still(moved)
    assert not gate.is_still(frame)


def test_slow_changes_add_up():
    gate = MotionGate(1920, 1080)
    still = [gate.is_still(grid(gate, 100 + step)) for step in range(2 * THRESHOLD_LEVELS + 1)]
    expected = [step % THRESHOLD_LEVELS != 0 for step in range(2 * THRESHOLD_LEVELS + 1)]
    assert still == expected


def test_nothing_is_still_for_ever():
    gate = MotionGate(64, 64)
    still = [gate.is_still(grid(gate)) for _ in range(2 * MOST_STILL_FRAMES + 2)]
    moving = [index for index, is_still in enumerate(still) if not is_still]
    assert moving == [0, MOST_STILL_FRAMES + 1]


def test_motion_outside_of_the_region_does_not_count():
    left_half = [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]
    gate = MotionGate(1920, 1080, Region(left_half, 1920, 1080))
    frame = grid(gate)
    gate.is_still(frame)
    right = frame.copy()
    right[:, 60:] = 0
    assert gate.is_still(right)
    left = frame.copy()
    left[10, 10] = 0
    assert not gate.is_still(left)
