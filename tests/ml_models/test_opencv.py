"""The models inside OpenCV, on real clips: they must be good enough for a machine without weights."""

from collections import Counter

import numpy as np
import pytest

from ml_models.catalog import find_spec
from ml_models.opencv_haar.model import _confidence as haar_confidence
from ml_models.opencv_hog.model import _confidence as hog_confidence
from ml_models.tracking.base import TrackingParameters
from ml_models.tracking.label_tracker import LabelTracker
from tests.ml_models.clips import detections_of


def test_haar_faces_are_faces_and_make_tracks(media_dir, weights_dir):
    """The default model without weights: tracks that last, hardly a mistake, judged by YuNet."""
    clip = media_dir / "short_hamilton_clip.mp4"
    threshold = find_spec("opencv-haar-face").default_confidence
    found = detections_of(clip, "opencv-haar-face", weights_dir)
    faces = detections_of(clip, "yunet-2026may", weights_dir)
    tracker = LabelTracker(parameters=TrackingParameters(min_confidence=threshold, frames_per_second=29.97))
    lengths = Counter()
    mistakes = total = 0
    for (seconds, detections), (_, truth) in zip(found, faces, strict=True):
        lengths.update(number for number in tracker.update(detections, seconds).tolist() if number > 0)
        for box in detections.xyxy[detections.confidence >= threshold]:
            total += 1
            center = (box[:2] + box[2:]) / 2
            inside = (truth.xyxy[:, :2] < center) & (center < truth.xyxy[:, 2:])
            mistakes += not inside.all(axis=1).any()
    assert total > 200
    assert mistakes <= 0.02 * total
    assert max(lengths.values()) > 100, "the singer's face is one track"
    assert len([length for length in lengths.values() if length >= 10]) >= 5
    assert len(lengths) <= 8


def test_hog_persons_are_persons(media_dir, weights_dir):
    clip = media_dir / "one-by-one-person-detection.mp4"
    threshold = find_spec("opencv-hog-person").default_confidence
    found = detections_of(clip, "opencv-hog-person", weights_dir, step=25)
    truth = detections_of(clip, "yolox-nano", weights_dir, step=25)
    hits = persons = 0
    for (_, detections), (_, reference) in zip(found, truth, strict=True):
        strong = detections.xyxy[detections.confidence >= threshold]
        is_person = (reference.data["class_name"] == "person") & (reference.confidence >= 0.5)
        for person in reference.xyxy[is_person]:
            persons += 1
            center = (person[:2] + person[2:]) / 2
            hits += bool(((strong[:, :2] < center) & (center < strong[:, 2:])).all(axis=1).any())
    assert persons > 30
    assert hits >= 0.7 * persons


@pytest.mark.parametrize("confidence", [haar_confidence, hog_confidence])
def test_confidence_rises_with_the_score_and_stays_in_bounds(confidence):
    mapped = confidence(np.linspace(-20, 80, 400))
    assert (np.diff(mapped) >= 0).all()
    assert mapped.min() >= 0
    assert mapped.max() <= 1
