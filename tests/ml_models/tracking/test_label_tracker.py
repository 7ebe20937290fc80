"""Tracks over whole clips: numbered once, the same however often the state goes through bytes."""

import pickle

import numpy as np
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_models.errors import TrackerStateError, UnknownTrackerError
from ml_models.tracking import label_tracker
from ml_models.tracking.base import TrackingParameters
from ml_models.tracking.factory import TRACKERS
from ml_models.tracking.label_tracker import LabelTracker
from tests.ml_models.clips import detections_of

MOVING = [name for name in TRACKERS if name != "NONE"]


def parameters(**changes):
    return TrackingParameters(**{"min_confidence": 0.4, "frames_per_second": 30.0, **changes})


def detections(*things):
    """Things are (label, x, confidence): boxes 40 wide and 80 high."""
    boxes = [[x, 100, x + 40, 180] for _, x, _ in things]
    return sv.Detections(
        xyxy=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        confidence=np.array([confidence for *_, confidence in things], dtype=np.float32),
        data={"class_name": np.array([label for label, *_ in things], dtype=str)},
    )


def follow(tracker, frames, interval=1 / 30, begin=0.0):
    return [tracker.update(found, begin + index * interval).tolist() for index, found in enumerate(frames)]


CLIPS = {
    "faces": ("short_hamilton_clip.mp4", "yunet-2026may", 1, 0.6, 29.97),
    "objects": ("bottle-detection.mp4", "yolox-nano", 5, 0.4, 29.83 / 5),
}


@pytest.fixture(scope="module", params=CLIPS)
def clip(request, media_dir, weights_dir):
    name, model, step, min_confidence, frames_per_second = CLIPS[request.param]
    settings = TrackingParameters(min_confidence=min_confidence, frames_per_second=frames_per_second)
    return settings, detections_of(media_dir / name, model, weights_dir, step=step)


@pytest.mark.parametrize("name", TRACKERS)
def test_state_through_bytes_after_every_frame_changes_nothing(name, clip):
    settings, frames = clip
    whole = LabelTracker(name, parameters=settings)
    resumed = LabelTracker(name, parameters=settings)
    for seconds, found in frames:
        resumed = LabelTracker.from_bytes(resumed.to_bytes())
        assert resumed.update(found, seconds).tolist() == whole.update(found, seconds).tolist()


@pytest.mark.parametrize("name", MOVING)
def test_tracks_of_a_real_clip(name, clip):
    """Numbers count from 1 without gaps in order of appearance, each has one label, and most things have one."""
    settings, frames = clip
    tracker = LabelTracker(name, parameters=settings)
    labels_of: dict[int, set[str]] = {}
    strong = numbered = 0
    for seconds, found in frames:
        numbers = tracker.update(found, seconds)
        assert len(set(numbers[numbers > 0].tolist())) == (numbers > 0).sum()
        is_strong = found.confidence >= settings.min_confidence
        assert (numbers[~is_strong] == -1).all()
        strong += is_strong.sum()
        numbered += (numbers > 0).sum()
        for number, label in zip(numbers.tolist(), found.data["class_name"], strict=True):
            if number > 0:
                if number not in labels_of:
                    assert number == len(labels_of) + 1
                labels_of.setdefault(number, set()).add(str(label))
    assert all(len(labels) == 1 for labels in labels_of.values())
    assert 5 <= len(labels_of) <= 30
    assert numbered > 0.9 * strong


def test_none_numbers_nothing():
    assert (
        follow(LabelTracker("NONE", parameters=parameters()), [detections(("cat", 0, 0.9))] * 4) == [[-1]] * 4
    )


def test_an_unknown_tracker_is_told_what_comes_near():
    with pytest.raises(UnknownTrackerError, match="no tracker 'BYTETRACK': did you mean BYTE_TRACK"):
        LabelTracker("BYTETRACK", parameters=parameters())


@pytest.mark.parametrize("name", MOVING)
def test_labels_do_not_continue_each_other(name):
    """A dog where the cat was is a new track; both at one place are two."""
    cat, dog = ("cat", 200, 0.9), ("dog", 200, 0.8)
    frames = [detections(cat)] * 6 + [detections(dog)] * 6 + [detections(cat, dog)] * 6
    numbers = follow(LabelTracker(name, parameters=parameters()), frames)
    assert numbers[5] == [1]
    assert numbers[11] == [2]
    assert numbers[17] == [1, 2]


def test_a_track_is_numbered_from_its_second_frame():
    cat = detections(("cat", 200, 0.9))
    assert follow(LabelTracker(parameters=parameters()), [cat] * 3) == [[-1], [1], [1]]
    at_once = LabelTracker(parameters=parameters(min_consecutive_frames=3))
    assert follow(at_once, [cat] * 4) == [[-1], [-1], [1], [1]]


@pytest.mark.parametrize("name", ["SORT", "BYTE_TRACK", "BOT_SORT"])
def test_weak_detections_keep_a_track_and_begin_none(name):
    strong, weak = ("cat", 200, 0.9), ("cat", 200, 0.15)
    long_gap = 60
    frames = [detections(strong)] * 4 + [detections(weak)] * long_gap + [detections(strong)] * 2
    numbers = follow(LabelTracker(name, parameters=parameters()), frames)
    assert numbers[4 : 4 + long_gap] == [[-1]] * long_gap
    assert numbers[-1] == [1], "seen all the time, if only weakly"
    only_weak = LabelTracker(name, parameters=parameters())
    assert follow(only_weak, [detections(weak)] * 20) == [[-1]] * 20
    assert follow(only_weak, [detections(strong)] * 3, begin=1.0)[-1] == [1]


@pytest.mark.parametrize("name", MOVING)
def test_a_lost_track_is_found_again_within_its_time_and_not_after(name):
    cat, nothing = detections(("cat", 200, 0.9)), detections()
    for missed, expected in ((20, 1), (45, 2)):
        numbers = follow(
            LabelTracker(name, parameters=parameters()), [cat] * 10 + [nothing] * missed + [cat] * 6
        )
        assert numbers[-1] == [expected]
    patient = LabelTracker(name, parameters=parameters(lost_track_seconds=2.0))
    assert follow(patient, [cat] * 10 + [nothing] * 45 + [cat] * 6)[-1] == [1]


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("interval", [0.5, 2.0, 30.0])
def test_sparse_frames_make_tracks(name, interval):
    """With a large stride, frames lie further apart than a track may be lost otherwise."""
    frames = [detections(("cat", 200 + 3 * index, 0.9)) for index in range(8)]
    frames[4] = detections()
    settings = parameters(frames_per_second=1 / interval)
    numbers = follow(LabelTracker(name, parameters=settings), frames, interval)
    assert numbers[3] == [1]
    assert numbers[-1] == [1]


@pytest.mark.parametrize("name", MOVING)
def test_uneven_times_are_followed(name):
    """A thing of constant speed, filmed with a variable frame rate."""
    tracker = LabelTracker(name, parameters=parameters())
    random = np.random.default_rng(3)
    seconds = np.cumsum(random.choice([1 / 60, 1 / 30, 1 / 10], 80))
    numbers = [
        tracker.update(detections(("cat", 50 + 60 * now, 0.9)), float(now)).tolist() for now in seconds
    ]
    assert {tuple(each) for each in numbers[4:]} == {(1,)}


@pytest.mark.parametrize("name", MOVING)
def test_two_frames_at_one_time(name):
    tracker = LabelTracker(name, parameters=parameters())
    cat = detections(("cat", 200, 0.9))
    times = [0.0, 0.0, 0.1, 0.1, 0.2, 0.2, 0.3]
    numbers = [tracker.update(cat, seconds).tolist() for seconds in times]
    assert numbers[-1] == [1]


@pytest.mark.parametrize("seconds", [0.9, float("nan"), float("inf"), -1.0])
def test_time_that_goes_back_is_refused(seconds):
    tracker = LabelTracker(parameters=parameters())
    tracker.update(detections(), 1.0)
    with pytest.raises(ValueError, match=f"frame at {seconds} s after one at 1.0 s"):
        tracker.update(detections(), seconds)


def test_times_may_begin_below_zero():
    cat = detections(("cat", 200, 0.9))
    tracker = LabelTracker(parameters=parameters())
    assert [tracker.update(cat, seconds).tolist() for seconds in (-0.04, 0.0, 0.04)] == [[-1], [1], [1]]


def test_detections_without_confidence_are_refused():
    bare = sv.Detections(xyxy=np.ones((1, 4)), data={"class_name": np.array(["cat"])})
    with pytest.raises(ValueError, match="without confidence"):
        LabelTracker(parameters=parameters()).update(bare, 0.0)


def test_the_state_does_not_grow_with_tracks_that_are_gone():
    tracker = LabelTracker(parameters=parameters())
    sizes = []
    for index in range(40):
        begin = index * 10.0
        for step in range(3):
            tracker.update(detections(("cat", 50 + 20 * index, 0.9)), begin + step / 30)
        sizes.append(len(tracker.to_bytes()))
    assert tracker.update(detections(("cat", 50 + 20 * 39, 0.9)), begin + 0.1).tolist() == [40]
    assert max(sizes) < 1.1 * sizes[1]


@pytest.mark.parametrize("part", [0, 1])
def test_a_state_of_another_version_is_refused(part):
    written = list(pickle.loads(LabelTracker(parameters=parameters()).to_bytes()))
    written[part] = "0.1"
    with pytest.raises(TrackerStateError, match="track again from the start"):
        LabelTracker.from_bytes(pickle.dumps(tuple(written)))
    assert label_tracker._FORMAT == 2


coordinates = st.tuples(st.floats(0, 600, width=32), st.floats(0, 600, width=32))
boxes = st.tuples(
    coordinates, st.floats(2**-6, 400, width=32), st.floats(2**-6, 400, width=32), st.floats(0, 1, width=32)
)
steps = st.tuples(st.lists(boxes, max_size=5), st.sampled_from([0.0, 1 / 60, 1 / 30, 0.2, 0.9, 5.0, 1000.0]))


@pytest.mark.parametrize("name", MOVING)
@settings(deadline=None, max_examples=60)
@given(frames=st.lists(steps, max_size=25))
def test_nothing_that_a_model_may_return_breaks_a_tracker(name, frames):
    tracker = LabelTracker(name, parameters=parameters())
    seconds = 0.0
    for things, pause in frames:
        seconds += pause
        found = sv.Detections(
            xyxy=np.array([[x, y, x + w, y + h] for (x, y), w, h, _ in things], dtype=np.float32).reshape(
                -1, 4
            ),
            confidence=np.array([confidence for *_, confidence in things], dtype=np.float32),
            data={"class_name": np.array(["cat"] * len(things), dtype=str)},
        )
        numbers = tracker.update(found, seconds)
        assert len(numbers) == len(things)
        assert len(set(numbers[numbers > 0].tolist())) == (numbers > 0).sum()


@pytest.mark.parametrize("name", MOVING)
def test_labels_that_concern_no_track_cost_nothing(name, monkeypatch):
    """A tracker is asked only while it follows something or may begin to: models report much that is weak."""
    tracker = LabelTracker(name, parameters=parameters())
    weak = [detections(("cat", 200, 0.9), ("dog", 400, 0.1))] * 10
    follow(tracker, weak)
    assert not tracker._trackers["cat"].is_idle
    assert tracker._trackers["dog"].is_idle
    monkeypatch.setattr(tracker._trackers["dog"], "update", None)
    assert follow(tracker, weak, begin=1.0) == [[1, -1]] * 10
