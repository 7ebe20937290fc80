"""A parameter that the chosen tracker does not take is refused by its name."""

import pytest

from domain.analyses.models import Tracker
from domain.analyses.options import TrackingOptions
from domain.errors import InvalidError
from ml_models.tracking.base import TrackingParameters
from ml_models.tracking.factory import TRACKER_PARAMETERS, TRACKERS
from tasks.analyses import RequestedSettings, complete_settings

VALUES = {
    "lost_track_seconds": 2.0,
    "min_iou": 0.3,
    "min_consecutive_frames": 3,
    "activation_confidence": 0.9,
    "high_confidence": 0.9,
    "weak_min_iou": 0.4,
    "direction_weight": 0.3,
    "direction_frames": 4,
}


def test_every_tracker_and_every_parameter_is_known():
    assert set(TRACKER_PARAMETERS) == set(TRACKERS) == {tracker.value for tracker in Tracker}
    assert set(VALUES) == set(vars(TrackingOptions()))
    assert set(VALUES) < set(TrackingParameters.__dataclass_fields__)


@pytest.mark.parametrize("tracker", Tracker)
@pytest.mark.parametrize("name", VALUES)
async def test_each_takes_its_own_and_no_other(tracker, name, weights_dir):
    given = TrackingOptions(**{name: VALUES[name]})
    requested = RequestedSettings("opencv-haar-face", tracker=tracker, tracker_parameters=given)
    if name in TRACKER_PARAMETERS[tracker]:
        settings = await complete_settings(requested, weights_dir, None, ("settings",))
        assert settings.tracking == given
        return
    with pytest.raises(InvalidError, match=f"{tracker} does not take .*its parameters: ") as caught:
        await complete_settings(requested, weights_dir, None, ("settings",))
    assert caught.value.path == ("settings", "tracker_parameters", name)
