"""YuNet against OpenCV's own post-processing of the same weights."""

import cv2
import numpy as np
import pytest

from ml_models.catalog import find_spec
from ml_models.factory import create_ml_model
from tests.ml_models.clips import read_frames

PHOTOS = ("obama.jpg", "biden.jpg", "two_people.jpg", "alex-lacamoire.png", "lin-manuel-miranda.png")


@pytest.fixture(scope="module")
def frames(media_dir):
    photos = [cv2.imread(str(media_dir / name)) for name in PHOTOS]
    return read_frames(media_dir / "short_hamilton_clip.mp4", step=6) + photos


@pytest.mark.parametrize("name", ["yunet-2026may", "yunet-2023mar"])
def test_faces_and_landmarks_are_those_of_face_detector_yn(name, weights_dir, frames):
    spec = find_spec(name)
    model = create_ml_model(name, weights_dir=weights_dir)
    reference = cv2.FaceDetectorYN.create(
        str(weights_dir / spec.weights.file_name), "", (640, 640), spec.floor_confidence, 0.3, 5000
    )
    compared = 0
    for frame in frames:
        height, width = frame.shape[:2]
        scale = 640 / max(width, height)
        size = (int(width * scale), int(height * scale))
        image = cv2.resize(frame, size) if size != (width, height) else frame
        if spec.input_size:
            image = cv2.copyMakeBorder(image, 0, 640 - size[1], 0, 640 - size[0], cv2.BORDER_CONSTANT)
        reference.setInputSize(image.shape[1::-1])
        faces = reference.detect(image)[1]
        faces = np.empty((0, 15)) if faces is None else faces
        expected = []
        for face in faces:
            factors = np.array([width / size[0], height / size[1]])
            corners = np.array([face[:2], face[:2] + face[2:4]]) * factors
            box = np.clip(corners, 0, (width, height)).ravel()
            expected.append((face[14], box, face[4:14].reshape(5, 2) * factors))
        (found,) = model.analyze([frame])
        assert len(found) == len(expected)
        expected.sort(key=lambda face: -face[0])
        for index, (score, box, landmarks) in enumerate(expected):
            assert found.confidence[index] == pytest.approx(score, abs=0.001)
            assert found.xyxy[index] == pytest.approx(box, abs=1)
            assert found.data["landmarks"][index] == pytest.approx(landmarks, abs=1)
        compared += len(expected)
    assert compared > 100


def test_landmarks_ride_along(weights_dir, media_dir):
    """The eyes are in the upper half of the box, the mouth in the lower; right and left are the person's."""
    (found,) = create_ml_model("yunet-2026may", weights_dir=weights_dir).analyze(
        [cv2.imread(str(media_dir / "obama.jpg"))]
    )
    landmarks = found.data["landmarks"]
    assert landmarks.shape == (len(found), 5, 2)
    assert landmarks.dtype == np.float32
    right_eye, left_eye, nose, right_mouth, left_mouth = landmarks[0]
    middle = (found.xyxy[0, 1] + found.xyxy[0, 3]) / 2
    assert max(right_eye[1], left_eye[1]) < middle < min(right_mouth[1], left_mouth[1])
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]


@pytest.mark.parametrize("face_height", [16, 30, 60, 150, 300])
def test_faces_small_and_large_are_found(weights_dir, media_dir, face_height):
    """One photo of a face, scaled, in a frame 640 pixels wide and 360 high."""
    model = create_ml_model("yunet-2026may", weights_dir=weights_dir)
    photo = cv2.imread(str(media_dir / "obama-720p.jpg"))
    (found,) = model.analyze([photo])
    x1, y1, x2, y2 = found.xyxy[0]
    scale = face_height / (y2 - y1)
    scaled = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    center = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) * scale
    frame = cv2.warpAffine(
        scaled,
        np.array([[1, 0, 320 - center[0]], [0, 1, 180 - center[1]]]),
        (640, 360),
        borderValue=(90,) * 3,
    )
    (found,) = model.analyze([frame])
    best = found.xyxy[0]
    assert found.confidence[0] >= model.spec.default_confidence
    assert (best[:2] + best[2:]) / 2 == pytest.approx([320, 180], abs=face_height / 5)
    assert best[3] - best[1] == pytest.approx(face_height, rel=0.35)


def test_a_longer_side_finds_smaller_faces(weights_dir, media_dir):
    photo = cv2.imread(str(media_dir / "two_people.jpg"))
    crowd = cv2.resize(np.tile(photo, (6, 6, 1)), (2400, 1400), interpolation=cv2.INTER_AREA)
    counts = {}
    for side in (640, 1280):
        model = create_ml_model("yunet-2026may", weights_dir=weights_dir, options={"longest_side": side})
        (found,) = model.analyze([crowd])
        counts[side] = int((found.confidence >= 0.6).sum())
    assert counts[1280] >= counts[640]
    assert counts[1280] == 72
