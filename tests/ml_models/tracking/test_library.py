"""Our trackers give the ids that the library gives when it is driven directly."""

import numpy as np
import pytest
import supervision as sv
from trackers import BoTSORTTracker, ByteTrackTracker, OCSORTTracker, SORTTracker

from ml_models.tracking.base import TrackingParameters
from ml_models.tracking.factory import TRACKERS, create_tracker
from tests.ml_models.clips import detections_of

PARAMETERS = TrackingParameters(min_confidence=0.4, frames_per_second=10.0)
SHARED = {"lost_track_buffer": 30, "frame_rate": 10.0, "minimum_consecutive_frames": 2}
DIRECT = {
    "SORT": lambda: SORTTracker(track_activation_threshold=0.4, minimum_iou_threshold=0.3, **SHARED),
    "BYTE_TRACK": lambda: ByteTrackTracker(
        track_activation_threshold=0.4, high_conf_det_threshold=0.4, minimum_iou_threshold=0.1, **SHARED
    ),
    "OC_SORT": lambda: OCSORTTracker(high_conf_det_threshold=0.4, minimum_iou_threshold=0.3, **SHARED),
    "BOT_SORT": lambda: BoTSORTTracker(
        track_activation_threshold=0.4,
        high_conf_det_threshold=0.4,
        minimum_iou_threshold_first_assoc=0.2,
        enable_cmc=False,
        instant_first_frame_activation=False,
        **SHARED,
    ),
}


@pytest.fixture(scope="module")
def persons(media_dir, weights_dir):
    """Persons coming and going: many frames have none."""
    clip = media_dir / "one-by-one-person-detection.mp4"
    return [
        (seconds, found[found.data["class_name"] == "person"])
        for seconds, found in detections_of(clip, "yolox-nano", weights_dir, step=4)
    ]


def test_every_tracker_is_compared():
    assert DIRECT.keys() | {"NONE"} == TRACKERS.keys()


@pytest.mark.parametrize("name", DIRECT)
def test_ids_are_those_of_the_library(name, persons):
    tracker, direct = create_tracker(name, PARAMETERS), DIRECT[name]()
    assert any(not len(found) for _, found in persons)
    given = set()
    for seconds, found in persons:
        ids = tracker.update(found.xyxy, found.confidence, seconds)
        bare = sv.Detections(
            xyxy=found.xyxy, confidence=found.confidence, data={"row": np.arange(len(found))}
        )
        expected = np.full(len(found), -1)
        tracked = direct.update(bare, timestamp=seconds)
        if len(tracked):
            expected[tracked.data["row"]] = tracked.tracker_id
        assert ids.tolist() == expected.tolist()
        given.update(ids[ids >= 0].tolist())
        assert tracker.live_ids() <= given
    assert len(given) >= 4


@pytest.mark.parametrize("name", DIRECT)
def test_reset_starts_anew(name, persons):
    tracker = create_tracker(name, PARAMETERS)
    first = [tracker.update(found.xyxy, found.confidence, seconds).tolist() for seconds, found in persons]
    tracker.reset()
    assert [
        tracker.update(found.xyxy, found.confidence, seconds).tolist() for seconds, found in persons
    ] == first
