import pytest

from ml_models.tracking.base import TrackingParameters
from ml_models.tracking.library import lost_track_buffer


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_confidence": -0.1},
        {"min_confidence": 1.1},
        {"frames_per_second": 0},
        {"frames_per_second": float("nan")},
        {"frames_per_second": float("inf")},
        {"lost_track_seconds": -1},
        {"lost_track_seconds": float("nan")},
        {"min_iou": 0.0},
        {"min_iou": 1.0},
        {"min_consecutive_frames": 0},
        {"activation_confidence": 0.4},
        {"high_confidence": 1.1},
        {"weak_min_iou": 1.0},
        {"direction_weight": -0.1},
        {"direction_frames": 0},
    ],
)
def test_values_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrackingParameters(**{"min_confidence": 0.5, **wrong})


@pytest.mark.parametrize(
    ("seconds", "frames_per_second", "buffer"),
    [(1.0, 30.0, 30), (1.0, 10.0, 30), (0.5, 60.0, 15), (1.0, 1.0, 90), (0.0, 30.0, 3)],
)
def test_a_track_waits_in_seconds_or_for_two_missed_frames(seconds, frames_per_second, buffer):
    parameters = TrackingParameters(
        min_confidence=0.5, lost_track_seconds=seconds, frames_per_second=frames_per_second
    )
    assert lost_track_buffer(parameters) == buffer
