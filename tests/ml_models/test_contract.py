"""What every model of the catalogue must do; a new one is tested by being listed there."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from ml_models.compute import Compute
from ml_models.errors import ModelInputError
from ml_models.factory import create_ml_model
from tests.ml_models.clips import in_bytes, read_frames
from tests.ml_models.readiness import bytes_kept, models_here, models_missing, skip_missing

# Frames of real clips that show what a model finds, by task.
SHOWS = {
    "FACE_DETECTION": ("short_hamilton_clip.mp4", (5, 110, 235)),
    "PERSON_DETECTION": ("one-by-one-person-detection.mp4", (180, 300, 1300)),
    "OBJECT_DETECTION": ("bottle-detection.mp4", (50, 300, 600)),
}


def is_detector(spec):
    return spec.task.is_detection


@pytest.fixture(scope="module", params=models_here(is_detector), ids=lambda spec: spec.name)
def spec(request):
    return request.param


@pytest.mark.parametrize("missing", models_missing(is_detector), ids=lambda spec: spec.name)
def test_the_model_is_here(missing):
    skip_missing(missing)


@pytest.fixture(scope="module")
def frames(spec, media_dir):
    clip, indices = SHOWS[spec.task.value]
    decoded = read_frames(media_dir / clip, limit=max(indices) + 1)
    return [decoded[index] for index in indices]


@pytest.fixture(scope="module")
def model(spec, weights_dir):
    return create_ml_model(spec.name, weights_dir=weights_dir)


@pytest.fixture(scope="module")
def results(model, frames):
    return model.analyze(frames)


def test_types_and_shapes(spec, frames, results):
    assert len(results) == len(frames)
    for detections in results:
        count = len(detections)
        assert count > 0
        assert detections.xyxy.dtype == np.float32
        assert detections.xyxy.shape == (count, 4)
        assert detections.confidence.dtype == np.float32
        assert detections.confidence.shape == (count,)
        assert detections.class_id.dtype == np.int64
        names = detections.data["class_name"]
        assert list(names) == [spec.labels[class_id] for class_id in detections.class_id]


def test_it_finds_what_is_there_at_its_default_confidence(spec, results):
    expected = {"FACE_DETECTION": "face", "PERSON_DETECTION": "person", "OBJECT_DETECTION": "bottle"}
    for detections in results:
        strong = detections.confidence >= spec.default_confidence
        assert expected[spec.task.value] in detections.data["class_name"][strong]


def test_values_lie_within_the_frame_and_above_the_floor(spec, frames, results):
    for frame, detections in zip(frames, results, strict=True):
        height, width = frame.shape[:2]
        boxes = detections.xyxy
        assert np.isfinite(boxes).all()
        assert (boxes >= 0).all()
        assert (boxes <= [width, height, width, height]).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert (detections.confidence >= spec.floor_confidence).all()
        assert (detections.confidence <= 1).all()


def test_order_is_by_confidence_then_box(results):
    for detections in results:
        keys = [
            (-confidence, *box)
            for confidence, box in zip(detections.confidence, detections.xyxy, strict=True)
        ]
        assert keys == sorted(keys)


def test_no_frames_give_no_results(spec, weights_dir):
    assert create_ml_model(spec.name, weights_dir=weights_dir).analyze([]) == []


def test_a_frame_of_one_pixel(model):
    (detections,) = model.analyze([np.full((1, 1, 3), 200, np.uint8)])
    assert (detections.xyxy <= 1).all()
    assert len(detections.data["class_name"]) == len(detections)


@pytest.mark.parametrize(("width", "height"), [(3000, 1), (1, 3000), (33, 2001), (2001, 33)])
def test_thin_frames(model, width, height):
    (detections,) = model.analyze([np.full((height, width, 3), 90, np.uint8)])
    assert (detections.xyxy <= [width, height, width, height]).all()


def test_a_huge_frame_gives_what_the_frame_gives(spec, model, frames, results):
    """A frame of 48 megapixels is looked at like a small one, and its boxes are in its own pixels."""
    frame = frames[0]
    height, width = frame.shape[:2]
    factors = np.array([8000 / width, 6000 / height] * 2)
    (detections,) = model.analyze([cv2.resize(frame, (8000, 6000), interpolation=cv2.INTER_LINEAR)])
    assert len(detections)
    best = detections.xyxy[0] / factors
    overlaps = [_iou(best, box) for box in results[0].xyxy]
    assert max(overlaps) > 0.6


def test_a_batch_gives_what_single_frames_give(model, frames, results):
    odd = [frames[0], frames[1][:200, 100:333], frames[2], frames[1]]
    batch = model.analyze(odd)
    for frame, from_batch in zip(odd, batch, strict=True):
        (single,) = model.analyze([frame])
        assert in_bytes(single) == in_bytes(from_batch)
    assert in_bytes(batch[0]) == in_bytes(results[0])


def test_earlier_frames_leave_no_trace(spec, weights_dir, model, frames, results):
    model.analyze([np.full((700, 300, 3), 255, np.uint8), frames[2], frames[1][:, ::-1]])
    again = model.analyze(frames)
    fresh = [create_ml_model(spec.name, weights_dir=weights_dir).analyze([frame])[0] for frame in frames]
    for first, second, third in zip(results, again, fresh, strict=True):
        assert in_bytes(first) == in_bytes(second) == in_bytes(third)


def test_results_stay_as_they_are_while_buffers_are_reused(model, frames):
    first = model.analyze(frames[:1])[0]
    before = in_bytes(first)
    model.analyze(frames[1:])
    assert in_bytes(first) == before


def test_frames_are_not_changed_and_may_be_views(model, frames):
    mirrored = frames[0][:, ::-1]
    copy = mirrored.copy()
    copy.setflags(write=False)
    from_view, from_copy = model.analyze([mirrored, copy])
    assert in_bytes(from_view) == in_bytes(from_copy)
    assert (mirrored == copy).all()


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((1, 10, 10, 3), np.uint8),
        "frame.png",
    ],
)
def test_what_is_no_frame_is_refused(model, frame):
    with pytest.raises(ModelInputError):
        model.analyze([frame])


def test_threads_load_it_once_and_get_the_same(spec, weights_dir, frames, results, monkeypatch):
    model = create_ml_model(spec.name, weights_dir=weights_dir)
    loads = []
    load = model._load
    monkeypatch.setattr(model, "_load", lambda: (loads.append(threading.get_ident()), load()))
    assert not loads, "creating a model must not load it"
    barrier = threading.Barrier(4)

    def analyze(index):
        barrier.wait()
        return model.analyze([frames[index % len(frames)]])[0]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(analyze, range(4)))
    assert len(loads) == 1
    for index, detections in enumerate(found):
        assert in_bytes(detections) == in_bytes(results[index % len(frames)])


def test_a_second_thread_changes_nothing(spec, weights_dir, frames, results):
    model = create_ml_model(spec.name, weights_dir=weights_dir, compute=Compute(threads=2))
    (detections,) = model.analyze(frames[:1])
    cv2.setNumThreads(1)
    assert len(detections) == len(results[0])
    np.testing.assert_allclose(detections.xyxy, results[0].xyxy, atol=0.01)
    np.testing.assert_allclose(detections.confidence, results[0].confidence, atol=1e-4)


def test_an_unloaded_model_gives_its_memory_back(spec, weights_dir, frames):
    def use():
        model = create_ml_model(spec.name, weights_dir=weights_dir)
        model.analyze(frames[:1])
        return weakref.ref(model)

    gone = use()
    gc.collect()
    assert gone() is None, "something keeps the model"
    assert bytes_kept(use, times=4) < 4 * 2**20


def _iou(a, b):
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    intersection = sides.prod()
    return intersection / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - intersection)
