"""Over whole clips, cut anywhere: the numbers and boxes of each tracker are those of the library, run directly.

The library is driven here as its documentation shows, over the whole clip at once: `sv.Detections` of one label
in, frame after frame with its time, `tracker_id` out. Numbers are then given by the order of appearance.
"""

import random
from dataclasses import dataclass, field

import numpy as np
import pytest
import supervision as sv
from trackers import BoTSORTTracker, ByteTrackTracker, OCSORTTracker, SORTTracker

from ml_models.tracking.base import TrackingParameters
from ml_models.tracking.factory import TRACKER_PARAMETERS
from ml_models.tracking.label_tracker import LabelTracker
from tests.ml_models.clips import detections_of

MIN_CONFIDENCE = 0.35
CLIPS = {
    "bottle-detection.mp4": ("yolox-nano", 5, 29.83 / 5),
    "nasa_13013.mp4": ("yolox-nano", 4, 25 / 4),
    "one-by-one-person-detection.mp4": ("yolox-nano", 7, 10 / 7),
    "short_hamilton_clip.mp4": ("yunet-2026may", 1, 29.97),
}
CHANGED = {
    "lost_track_seconds": 2.0,
    "min_iou": 0.25,
    "min_consecutive_frames": 3,
    "activation_confidence": 0.55,
    "high_confidence": 0.5,
    "weak_min_iou": 0.35,
    "direction_weight": 0.4,
    "direction_frames": 2,
}
"""Another value for each parameter."""


@dataclass
class Wanted:
    """What the library is set up with: its own names and defaults, where Framewise has no others."""

    tracker: str
    rate: float
    changed: bool
    values: dict = field(default_factory=dict)

    def of(self, name, default):
        return CHANGED[name] if self.changed and name in TRACKER_PARAMETERS[self.tracker] else default

    def build(self):
        shared = {
            "frame_rate": self.rate,
            "lost_track_buffer": int(np.ceil(max(self.of("lost_track_seconds", 1.0), 3 / self.rate) * 30)),
            "minimum_consecutive_frames": self.of("min_consecutive_frames", 2),
        }
        begins = {"track_activation_threshold": self.of("activation_confidence", MIN_CONFIDENCE)}
        strong = {"high_conf_det_threshold": self.of("high_confidence", MIN_CONFIDENCE)}
        if self.tracker == "SORT":
            return SORTTracker(**shared, **begins, minimum_iou_threshold=self.of("min_iou", 0.3))
        if self.tracker == "BYTE_TRACK":
            return ByteTrackTracker(
                **shared, **begins, **strong, minimum_iou_threshold=self.of("min_iou", 0.1)
            )
        if self.tracker == "OC_SORT":
            return OCSORTTracker(
                **shared,
                **strong,
                minimum_iou_threshold=self.of("min_iou", 0.3),
                direction_consistency_weight=self.of("direction_weight", 0.2),
                delta_t=self.of("direction_frames", 3),
            )
        return BoTSORTTracker(
            **shared,
            **begins,
            **strong,
            minimum_iou_threshold_first_assoc=self.of("min_iou", 0.2),
            minimum_iou_threshold_second_assoc=self.of("weak_min_iou", 0.5),
            enable_cmc=False,
            instant_first_frame_activation=False,
        )


def by_the_library(frames, wanted):
    """For each frame its (number, label, box) in order; numbers by appearance."""
    trackers, numbers, followed = {}, {}, []
    for seconds, found in frames:
        labels = np.asarray(found.data["class_name"])
        given = {}
        for label in sorted({*trackers, *labels.tolist()}):
            rows = np.flatnonzero(labels == label)
            bare = sv.Detections(xyxy=found.xyxy[rows], confidence=found.confidence[rows], data={"row": rows})
            tracked = trackers.setdefault(label, wanted.build()).update(bare, timestamp=seconds)
            for place, track_id in enumerate(tracked.tracker_id if len(tracked) else ()):
                row = int(tracked.data["row"][place])
                if track_id != -1 and found.confidence[row] >= MIN_CONFIDENCE:
                    given[row] = label, int(track_id), tracked.xyxy[place].tolist()
        frame = []
        for row in sorted(given):
            label, track_id, box = given[row]
            number = numbers.setdefault((label, track_id), len(numbers) + 1)
            frame.append((number, label, box))
        followed.append(frame)
    return followed


def by_framewise(frames, tracker, borders):
    followed = []
    for index, (seconds, found) in enumerate(frames):
        if index in borders:
            tracker = LabelTracker.from_bytes(tracker.to_bytes())
        ids = tracker.update(found, seconds).tolist()
        labels = np.asarray(found.data["class_name"]).tolist()
        followed.append(
            [
                (number, label, box)
                for number, label, box in zip(ids, labels, found.xyxy.tolist(), strict=True)
                if number != -1
            ]
        )
    return followed


def test_every_clip_and_parameter_is_compared(media_dir):
    assert {path.name for path in media_dir.glob("*.mp4")} == set(CLIPS)
    assert {name for taken in TRACKER_PARAMETERS.values() for name in taken} == set(CHANGED)


@pytest.mark.parametrize("clip", CLIPS)
def test_every_tracker_follows_as_the_library_does(clip, media_dir, weights_dir):
    model, step, rate = CLIPS[clip]
    frames = detections_of(media_dir / clip, model, weights_dir, step=step)
    chance = random.Random(clip)
    for tracker, taken in TRACKER_PARAMETERS.items():
        if tracker == "NONE":
            continue
        for changed in (False, True):
            expected = by_the_library(frames, Wanted(tracker, rate, changed))
            values = {name: CHANGED[name] for name in taken} if changed else {}
            parameters = TrackingParameters(min_confidence=MIN_CONFIDENCE, frames_per_second=rate, **values)
            borders = {
                index for index in range(1, len(frames)) if chance.random() < chance.choice((0.02, 0.3))
            }
            followed = by_framewise(frames, LabelTracker(tracker, parameters=parameters), borders)
            assert followed == expected, (tracker, changed, sorted(borders))
            assert any(followed)
