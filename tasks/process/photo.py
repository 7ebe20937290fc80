"""Finding the faces of a photo, and describing one of them, where a file of strangers can do no harm."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from media.photo import read_photo
from ml_models.base import AbstractImageAnalysisMLModel, FloatArray, Frame
from ml_models.catalog import find_spec
from ml_models.factory import create_ml_model
from tasks.process.embedders import loaded_embedder
from tasks.process.models import requested_compute
from tasks.process.protocol import Message
from tasks.process.report import Report
from tasks.process.tilted_faces import CUT_PIXELS, Faces, faces_turned, upright_landmarks

LONGEST_SIDE = 4096
"""Photos are made so small, but no smaller: faces of a crowd keep their details."""

_SIDES = (640, 1920)
"""What photos are scaled to for the detector: first as frames of videos are; then, if that shows no face, so
that smaller ones are found."""

_SIDE_OPTION = "longest_side"
_BORDER = 0.5
"""Of width and height, around a photo that seems to have no face: one that fills it is found then."""


_TURNS = (90.0, 270.0, 180.0, 45.0, 315.0)
"""What a photo without an upright face is turned by, in degrees, until one is found."""


class NoFaceError(Exception):
    """Raised when a photo shows no face that can be used."""


class FaceTooSmallError(Exception):
    """Raised when the faces of a photo, or the chosen one, are too small to tell who it is."""


def get_ready(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Nothing: what photos need is imported now, so its time is not that of the photo."""
    return Message("result")


def find_faces(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """The faces of a photo, which is the only blob, and a description of one of them.

    If it has not so many faces as one is asked for, none is chosen and described.

    Raises:
        PhotoError: It is no photo, or has too many pixels.
        NoFaceError: It shows no face.
        FaceTooSmallError: None of its faces, or not the chosen one, is large enough.
        MLModelError: A model cannot be used.
    """
    (data,) = blobs
    photo = read_photo(data, max_pixels=values["max_pixels"], longest_side=LONGEST_SIDE)
    with report.indivisible():
        faces = _faces_of(photo.pixels, values)
    if len(faces) == 0:
        raise NoFaceError(
            "There is no face in this photo: choose one in which a face is upright, lit and turned to the "
            "camera."
        )
    found = {
        "width": photo.width,
        "height": photo.height,
        "boxes": (faces.boxes * photo.scale).tolist(),
        "confidence": faces.confidence.tolist(),
        "chosen": None,
    }
    if values["face"] is not None and not 0 <= values["face"] < len(faces):
        return Message("result", found)
    sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1) * photo.scale
    chosen = _chosen(sides, values["face"], values["face_min_pixels"])
    landmarks = None
    if faces.landmarks is not None:
        with report.indivisible():
            detect = partial(_detected, _detector(values["face_detector"], CUT_PIXELS, values))
            landmarks = upright_landmarks(detect, photo.pixels, faces.boxes[chosen], faces.landmarks[chosen])
    embedder = loaded_embedder({**values, "ml_model": values["face_embedding_model"]}, report)
    embedding = embedder.embed(photo.pixels, faces.boxes[chosen], landmarks, report)
    return Message("result", {**found, "chosen": chosen}, [embedding.astype("<f4").tobytes()])


def _chosen(sides: FloatArray, asked: int | None, least: int) -> int:
    """Which face is described: the one asked for, else the first that is large enough."""
    order = range(len(sides)) if asked is None else (asked,)
    for face in order:
        if sides[face] >= least:
            return face
    what = "The largest face of the photo" if asked is None else "This face"
    pixels = int(max(sides[face] for face in order))
    raise FaceTooSmallError(
        f"{what} is only {pixels} pixels wide; at least {least} are needed to tell who it is: choose a "
        "larger photo."
    )


def _faces_of(pixels: Frame, values: dict[str, Any]) -> Faces:
    """The faces found at the first size that shows any, then with a border around the photo, then turned."""
    name = values["face_detector"]
    has_sides = _SIDE_OPTION in find_spec(name).options
    longest = max(pixels.shape[:2])
    for side in _SIDES if has_sides else (None,):
        if side is None or side == _SIDES[0] or longest > _SIDES[0]:
            faces = _detected(_detector(name, side, values), pixels)
            if len(faces):
                return faces
    detector = _detector(name, _SIDES[0] if has_sides else None, values)
    faces = _faces_within_border(detector, pixels)
    for turn in _TURNS:
        if len(faces):
            break
        faces = faces_turned(partial(_detected, detector), pixels, turn, _SIDES[0])
    return faces


def _detected(detector: AbstractImageAnalysisMLModel, pixels: Frame) -> Faces:
    found = detector.analyze([pixels])[0]
    all_confidence = np.zeros(len(found)) if found.confidence is None else found.confidence
    kept = np.flatnonzero(all_confidence >= detector.spec.default_confidence)
    boxes: FloatArray = np.asarray(found.xyxy[kept], np.float32)
    confidence: FloatArray = np.asarray(all_confidence[kept], np.float32)
    sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1)
    order = np.argsort(-sides * confidence, kind="stable")
    landmarks = found.data.get("landmarks")
    return Faces(
        boxes[order],
        confidence[order],
        None if landmarks is None else np.asarray(landmarks, np.float32)[kept][order],
    )


def _faces_within_border(detector: AbstractImageAnalysisMLModel, pixels: Frame) -> Faces:
    """Faces that fill the photo, found in a small one with a border around it."""
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDES[0] / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    x, y = (round(side * _BORDER) for side in size)
    faces = _detected(detector, cv2.copyMakeBorder(small, y, y, x, x, cv2.BORDER_REPLICATE))  # type: ignore[arg-type]
    shift, factors = np.array([x, y]), np.array([width / size[0], height / size[1]])
    boxes = (faces.boxes.reshape(-1, 2, 2) - shift).clip(0, size) * factors
    kept = np.flatnonzero((boxes[:, 1] - boxes[:, 0] >= 1).all(axis=1))
    landmarks = None if faces.landmarks is None else (faces.landmarks[kept] - shift) * factors
    return Faces(
        boxes[kept].reshape(-1, 4).astype(np.float32),
        faces.confidence[kept],
        None if landmarks is None else landmarks.astype(np.float32),
    )


_detectors: dict[tuple[str, int | None], AbstractImageAnalysisMLModel] = {}


def _detector(name: str, side: int | None, values: dict[str, Any]) -> AbstractImageAnalysisMLModel:
    key = (name, side)
    if key not in _detectors:
        _detectors[key] = create_ml_model(
            name,
            weights_dir=Path(values["weights_dir"]),
            mirror=values["weights_mirror"],
            options=None if side is None else {_SIDE_OPTION: side},
            compute=requested_compute(values),
        )
    return _detectors[key]
