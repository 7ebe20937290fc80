"""Each embedding model against a reference that is not ours."""

import importlib.util
from itertools import pairwise

import cv2
import numpy as np
import pytest

from ml_models.catalog import find_spec
from ml_models.crops import ARCFACE_TEMPLATE, aligned_face, crop, similarity_transform
from ml_models.errors import (
    ExtraMissingError,
    ModelFailedError,
    ModelLoadError,
    ModelOutputError,
    WeightsCorruptError,
    WeightsUnavailableError,
)
from ml_models.extras import EXTRAS, Extra
from ml_models.factory import create_embedder
from ml_models.packaged import packaged_path
from ml_models.photo import FACE_BOX, FACE_LANDMARKS, PERSON_BOX, read_photo
from ml_models.sface.model import SFace
from tests.ml_models.clips import detections_of, read_frames


@pytest.fixture(scope="module")
def photo():
    return read_photo()


@pytest.fixture(scope="module")
def opencv(weights_dir):
    """OpenCV's own alignment and preprocessing for SFace, here with another network of the same shape."""
    return cv2.FaceRecognizerSF.create(str(weights_dir / "mobilefacenet.onnx"), "")


def opencv_face(box, landmarks):
    return np.concatenate([box, landmarks.ravel(), [1]]).astype(np.float32)[None]


def test_faces_are_aligned_as_opencv_aligns_them(opencv, media_dir, weights_dir):
    clip = media_dir / "short_hamilton_clip.mp4"
    compared = 0
    for frame, (_, found) in zip(
        read_frames(clip, step=25), detections_of(clip, "yunet-2026may", weights_dir, step=25), strict=True
    ):
        for box, landmarks in zip(found.xyxy, found.data["landmarks"], strict=True):
            expected = opencv.alignCrop(frame, opencv_face(box, landmarks)).astype(int)
            assert np.abs(aligned_face(frame, landmarks) - expected).max() <= 3
            compared += 1
    assert compared > 15


def test_sface_sees_what_opencv_gives_it(opencv, weights_dir, photo):
    embedder = SFace(find_spec("sface"), weights_path=weights_dir / "mobilefacenet.onnx")
    (found,) = embedder.embed(photo, FACE_BOX[None], FACE_LANDMARKS[None])
    (expected,) = opencv.feature(opencv.alignCrop(photo, opencv_face(FACE_BOX, FACE_LANDMARKS)))
    assert found @ expected / np.linalg.norm(expected) > 0.9999


def test_mobilefacenet_is_scaled_as_its_training_was(weights_dir, photo):
    """As torchvision's ToTensor and Normalize do it, with ImageNet's mean and deviation."""
    import onnxruntime

    rgb = cv2.cvtColor(aligned_face(photo, FACE_LANDMARKS), cv2.COLOR_BGR2RGB) / 255.0
    scaled = (rgb - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    session = onnxruntime.InferenceSession(str(weights_dir / "mobilefacenet.onnx"))
    (expected,) = session.run(None, {"input0": scaled.transpose(2, 0, 1)[None].astype(np.float32)})[0]
    (found,) = create_embedder("mobilefacenet", weights_dir=weights_dir).embed(
        photo, FACE_BOX[None], FACE_LANDMARKS[None]
    )
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


def test_persons_are_known_by_openvino_alike(weights_dir, photo):
    """The network run by OpenVINO, whose model it is, on the box stretched, BGR from 0 to 255."""
    openvino = pytest.importorskip("openvino")
    network = openvino.Core().compile_model(
        weights_dir / "person-reidentification-retail-0288.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    x1, y1, x2, y2 = PERSON_BOX.astype(int)
    person = cv2.resize(photo[y1:y2, x1:x2], (128, 256))
    expected = network(person[None].astype(np.float32))[0][0]
    (found,) = create_embedder("person-reid-0288", weights_dir=weights_dir).embed(photo, PERSON_BOX[None])
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-4)


def test_a_person_of_a_clip_is_known_again(media_dir, weights_dir):
    """Frames of one person's walk are alike; those of persons who came one after the other are less so."""
    clip, name = media_dir / "one-by-one-person-detection.mp4", "person-reid-0288"
    embedder = create_embedder(name, weights_dir=weights_dir)
    frames = read_frames(clip, step=20, limit=40)
    found = detections_of(clip, "yolox-nano", weights_dir, step=20, limit=40)
    walks, gap = [], True
    for frame, (_, detections) in zip(frames, found, strict=True):
        persons = detections[(detections.data["class_name"] == "person") & (detections.confidence > 0.6)]
        if len(persons) != 1:
            gap = True
            continue
        if gap:
            walks.append([])
        walks[-1].append(embedder.embed(frame, persons.xyxy)[0])
        gap = False
    neighbours = [a @ b for walk in walks for a, b in pairwise(walk)]
    across = [a[0] @ b[0] for a, b in pairwise(walks)]
    print(  # noqa: T201 - to be seen with -s
        f"{name}: next to each other {np.median(neighbours):.2f}, one after the other {np.median(across):.2f}"
    )
    assert len(neighbours) >= 5
    assert len(across) >= 2
    assert np.median(neighbours) > embedder.spec.same_similarity > np.median(across)


def test_dlib_gives_what_dlib_gives(photo):
    dlib = pytest.importorskip("dlib")
    rgb = cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)
    spec = find_spec("dlib-resnet")
    points, network = (packaged_path(file) for file in spec.packaged_files)
    (face,) = dlib.get_frontal_face_detector()(rgb)
    shape = dlib.shape_predictor(str(points))(rgb, face)
    expected = np.array(dlib.face_recognition_model_v1(str(network)).compute_face_descriptor(rgb, shape))
    box = np.array([[face.left(), face.top(), face.right() + 1, face.bottom() + 1]])
    (found,) = create_embedder("dlib-resnet", weights_dir=points.parent).embed(photo, box)
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-6)


def test_dlib_needs_its_extra_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setitem(EXTRAS, "dlib", Extra("dlib", ("no_such_module",), EXTRAS["dlib"].how_to_install))
    with pytest.raises(ExtraMissingError, match=r"uv pip install -e '\.\[dlib\]'"):
        create_embedder("dlib-resnet", weights_dir=tmp_path)


def test_a_file_of_a_package_is_checked(monkeypatch, tmp_path):
    (file, _) = find_spec("dlib-resnet").packaged_files
    spec = importlib.util.spec_from_loader("nothing", None)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr("ml_models.packaged.find_spec", lambda name: spec)
    with pytest.raises(WeightsUnavailableError, match="hold no face_recognition_models/models/shape"):
        packaged_path(file)
    (tmp_path / "models").mkdir()
    (tmp_path / file.path).write_bytes(b"another")
    with pytest.raises(WeightsCorruptError, match="install the package face_recognition_models again"):
        packaged_path(file)
    monkeypatch.setattr("ml_models.packaged.find_spec", lambda name: None)
    with pytest.raises(WeightsUnavailableError):
        packaged_path(file)


def test_the_transform_is_the_one_that_brings_the_points_there():
    angle, scale, shift = 0.7, 2.5, np.array([30.0, -12.0])
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (ARCFACE_TEMPLATE - shift) @ np.linalg.inv(rotation).T
    np.testing.assert_allclose(
        similarity_transform(points, ARCFACE_TEMPLATE), np.column_stack((rotation, shift)), atol=1e-9
    )
    same = np.full((5, 2), 7.0)
    np.testing.assert_allclose(similarity_transform(same, ARCFACE_TEMPLATE)[:, :2], np.eye(2))


@pytest.mark.parametrize(
    ("box", "shape"),
    [
        ([2, 3, 6, 9], (6, 4)),
        ([2.4, 3.6, 5.2, 8.1], (6, 4)),
        ([-5, -5, 4, 4], (4, 4)),
        ([18, 8, 99, 99], (2, 2)),
        ([50, 50, 60, 60], (1, 1)),
        ([3, 3, 3, 3], (1, 1)),
        ([9, 9, 2, 2], (1, 1)),
    ],
)
def test_a_crop_is_what_of_the_box_lies_in_the_frame(box, shape):
    frame = np.zeros((10, 20, 3), np.uint8)
    assert crop(frame, np.array(box, np.float32)).shape[:2] == shape


class Broken(SFace):
    def _load(self):
        if self.options.get("fault") == "load":
            raise RuntimeError("no luck")

    def _embed(self, frame, boxes, landmarks):
        return {"shape": lambda: np.ones((1, 3)), "zero": lambda: np.zeros((1, 128))}[self.options["fault"]]()


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("load", ModelLoadError, "cannot be loaded: RuntimeError: no luck"),
        ("other", ModelFailedError, "failed: KeyError"),
        ("shape", ModelOutputError, r"of shape \(1, 3\), not \(1, 128\)"),
        ("zero", ModelOutputError, "not finite, or all zero"),
    ],
)
def test_a_fault_is_named(photo, fault, error, words):
    embedder = Broken(find_spec("sface"), options={"fault": fault})
    with pytest.raises(error, match=words):
        embedder.embed(photo, FACE_BOX[None], FACE_LANDMARKS[None])
