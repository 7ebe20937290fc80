"""What every embedding model of the catalogue must do; a new one is tested by being listed there."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from ml_models.compute import Compute
from ml_models.errors import ModelInputError, UnknownModelError
from ml_models.factory import create_embedder, create_ml_model
from ml_models.photo import FACE_BOX, FACE_LANDMARKS, PERSON_BOX, read_photo
from tests.ml_models.readiness import bytes_kept, models_here, models_missing, skip_missing


def is_embedder(spec):
    return spec.task.is_embedding


@pytest.fixture(scope="module", params=models_here(is_embedder), ids=lambda spec: spec.name)
def spec(request):
    return request.param


@pytest.mark.parametrize("missing", models_missing(is_embedder), ids=lambda spec: spec.name)
def test_the_model_is_here(missing):
    skip_missing(missing)


@pytest.fixture(scope="module")
def embedder(spec, weights_dir):
    return create_embedder(spec.name, weights_dir=weights_dir)


@pytest.fixture(scope="module")
def photo():
    return read_photo()


@pytest.fixture(scope="module")
def things(spec):
    """Three boxes with landmarks: the real one, one beside it, and one that is partly outside."""
    box = PERSON_BOX if spec.labels == ("person",) else FACE_BOX
    shifts = np.array([[0, 0], [10, -6], [-200, -150]], dtype=np.float32)
    return box + np.tile(shifts, 2), FACE_LANDMARKS + shifts[:, None]


@pytest.fixture(scope="module")
def embeddings(embedder, photo, things):
    return embedder.embed(photo, *things)


def test_shape_type_and_length(spec, embeddings):
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (3, spec.embedding_size)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    assert 0 < spec.same_similarity < 1
    assert spec.labels in {("face",), ("person",)}


def test_the_nearer_box_is_the_more_alike(spec, embeddings):
    near, far = embeddings[0] @ embeddings[1], embeddings[0] @ embeddings[2]
    assert near > spec.same_similarity
    assert near > far


def test_all_at_once_gives_what_each_gives(embedder, photo, things, embeddings):
    boxes, landmarks = things
    for index, expected in enumerate(embeddings):
        single = embedder.embed(photo, boxes[[index]], landmarks[[index]])
        assert single.tobytes() == expected.tobytes()
    reverse = embedder.embed(photo, boxes[::-1], landmarks[::-1])
    assert reverse[::-1].tobytes() == embeddings.tobytes()


def test_it_is_the_same_again_and_when_new(spec, weights_dir, embedder, photo, things, embeddings):
    embedder.embed(photo[::-1], *things)
    assert embedder.embed(photo, *things).tobytes() == embeddings.tobytes()
    fresh = create_embedder(spec.name, weights_dir=weights_dir)
    assert fresh.embed(photo, *things).tobytes() == embeddings.tobytes()


def test_the_frame_is_not_changed_and_may_be_a_view(embedder, photo, things):
    mirrored = photo[:, ::-1]
    copy = mirrored.copy()
    copy.setflags(write=False)
    assert embedder.embed(mirrored, *things).tobytes() == embedder.embed(copy, *things).tobytes()
    assert (mirrored == copy).all()


def test_nothing_to_describe(spec, embedder, photo, weights_dir):
    for boxes in (np.empty((0, 4), np.float32), []):
        result = embedder.embed(photo, boxes, np.empty((0, 5, 2)))
        assert result.shape == (0, spec.embedding_size)
        assert result.dtype == np.float32


def test_a_frame_of_one_pixel_and_boxes_outside(spec, embedder):
    pixel = np.full((1, 1, 3), 128, np.uint8)
    boxes = np.array([[0, 0, 1, 1], [5, 5, 5, 5], [-9, -9, -3, -3]], dtype=np.float32)
    result = embedder.embed(pixel, boxes, np.zeros((3, 5, 2)))
    assert result.shape == (3, spec.embedding_size)
    assert np.isfinite(result).all()


def test_a_huge_frame_gives_what_the_frame_gives(spec, embedder, photo, things, embeddings):
    factors = np.array([8000 / photo.shape[1], 6000 / photo.shape[0]], dtype=np.float32)
    factors[:] = factors.min()
    height, width = (np.array(photo.shape[:2]) * factors[0]).astype(int)
    huge = np.zeros((6000, 8000, 3), dtype=np.uint8)
    huge[:height, :width] = cv2.resize(photo, (int(width), int(height)))
    boxes, landmarks = things
    (found,) = embedder.embed(huge, boxes[:1] * np.tile(factors, 2), landmarks[:1] * factors)
    assert found @ embeddings[0] > spec.same_similarity


@pytest.mark.parametrize(
    ("frame", "boxes", "landmarks"),
    [
        (np.zeros((0, 10, 3), np.uint8), FACE_BOX[None], FACE_LANDMARKS[None]),
        (np.zeros((10, 10), np.uint8), FACE_BOX[None], FACE_LANDMARKS[None]),
        (np.zeros((10, 10, 3), np.float32), FACE_BOX[None], FACE_LANDMARKS[None]),
        (None, FACE_BOX, FACE_LANDMARKS[None]),
        (None, [[1, 2, 3]], FACE_LANDMARKS[None]),
        (None, [[1, 2, 3, np.nan]], FACE_LANDMARKS[None]),
        (None, "boxes", FACE_LANDMARKS[None]),
        (None, FACE_BOX[None], FACE_LANDMARKS),
    ],
)
def test_what_is_no_input_is_refused(embedder, photo, frame, boxes, landmarks):
    with pytest.raises(ModelInputError):
        embedder.embed(photo if frame is None else frame, boxes, landmarks)


def test_landmarks_are_asked_for_where_they_are_needed(spec, embedder, photo):
    if not spec.needs_landmarks:
        assert embedder.embed(photo, FACE_BOX[None]).shape == (1, spec.embedding_size)
        return
    with pytest.raises(ModelInputError, match="needs the five landmarks"):
        embedder.embed(photo, FACE_BOX[None])
    with pytest.raises(ModelInputError, match="2 boxes, but landmarks of 1"):
        embedder.embed(photo, np.stack((FACE_BOX, FACE_BOX)), FACE_LANDMARKS[None])


def test_threads_load_it_once_and_get_the_same(spec, weights_dir, photo, things, embeddings, monkeypatch):
    embedder = create_embedder(spec.name, weights_dir=weights_dir)
    loads = []
    load = embedder._load
    monkeypatch.setattr(embedder, "_load", lambda: (loads.append(1), load()))
    barrier = threading.Barrier(3)

    def embed(_):
        barrier.wait()
        return embedder.embed(photo, *things)

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(embed, range(3)))
    assert len(loads) == 1
    assert {result.tobytes() for result in results} == {embeddings.tobytes()}


def test_a_second_thread_changes_nothing(spec, weights_dir, photo, things, embeddings):
    embedder = create_embedder(spec.name, weights_dir=weights_dir, compute=Compute(threads=2))
    found = embedder.embed(photo, *things)
    cv2.setNumThreads(1)
    np.testing.assert_allclose(found, embeddings, atol=1e-5)


def test_an_unloaded_model_gives_its_memory_back(spec, weights_dir, photo, things):
    def use():
        embedder = create_embedder(spec.name, weights_dir=weights_dir)
        embedder.embed(photo, *things)
        return weakref.ref(embedder)

    gone = use()
    gc.collect()
    assert gone() is None, "something keeps the model"
    assert bytes_kept(use, times=4) < 4 * 2**20


def test_it_is_no_detector_and_a_detector_no_embedder(spec, weights_dir):
    with pytest.raises(UnknownModelError, match="finds nothing by itself"):
        create_ml_model(spec.name, weights_dir=weights_dir)
    with pytest.raises(UnknownModelError, match="describes nothing"):
        create_embedder("opencv-haar-face", weights_dir=weights_dir)
