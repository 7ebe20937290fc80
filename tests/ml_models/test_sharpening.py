"""Blurred faces are sharpened before they are described."""

import cv2
import numpy as np
import pytest

from media.photo import read_photo
from ml_models.crops import aligned_face
from ml_models.factory import create_embedder, create_ml_model
from ml_models.sharpening import SHARP, sharpened, sharpness
from tests.people_clips import PHOTOS

NAMES = "obama", "miranda"
BLUR_PIXELS = 2.0


@pytest.fixture(scope="module")
def faces(media_dir, weights_dir):
    """A sharp upright face of each of two people."""
    detector = create_ml_model("yunet-2026may", weights_dir=weights_dir)
    found = {}
    for name in NAMES:
        data = (media_dir / PHOTOS[name].file_name).read_bytes()
        image = read_photo(data, max_pixels=10**8, longest_side=1280).pixels
        landmarks = detector.analyze([image])[0].data["landmarks"][0]
        found[name] = aligned_face(image, landmarks)
    return found


def blurred(face, across=BLUR_PIXELS, down=BLUR_PIXELS):
    return cv2.GaussianBlur(face, (0, 0), sigmaX=across, sigmaY=down)


def test_a_sharp_face_stays_as_it_is(faces):
    for face in faces.values():
        assert sharpness(face) > SHARP
        assert sharpened(face) is face


def test_a_face_that_is_only_smeared_stays_nearly_as_it_is(faces):
    face = blurred(faces["obama"], 4.0, 0.001)
    assert sharpness(face) > 1.5 * sharpness(blurred(faces["obama"]))


def test_the_more_blurred_the_more_it_is_sharpened(faces):
    for face in faces.values():
        near, far = blurred(face), blurred(face, 3.0, 3.0)
        assert sharpness(far) < sharpness(near) < SHARP
        assert sharpness(sharpened(near)) > sharpness(near)
        changes = [np.abs(sharpened(one).astype(int) - one).mean() for one in (near, far)]
        assert 0 < changes[0] < changes[1]


def test_a_face_of_one_level_is_left_alone():
    face = np.full((112, 112, 3), 90, dtype=np.uint8)
    assert sharpened(face) is face


def test_blurred_faces_are_more_like_themselves_and_less_like_each_other(faces, weights_dir, monkeypatch):
    embedder = create_embedder("mobilefacenet", weights_dir=weights_dir)
    template = np.array([[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]], np.float32)

    def describe(face):
        return embedder.embed(face, [[0, 0, 112, 112]], template[None])[0]

    def cosines():
        sharp = {name: describe(face) for name, face in faces.items()}
        soft = {name: describe(blurred(face)) for name, face in faces.items()}
        return min(sharp[name] @ soft[name] for name in NAMES), soft[NAMES[0]] @ soft[NAMES[1]]

    own, other = cosines()
    monkeypatch.setattr("ml_models.mobilefacenet.model.sharpened", lambda face: face)
    own_before, other_before = cosines()
    assert own > own_before + 0.03
    assert other < other_before - 0.03
