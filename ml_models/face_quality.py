"""How well a face can be known again: a score from 0 to 1 out of properties of its picture.

The properties are among those that ISO/IEC 29794-5 (face image quality) names: size, pose, sharpness and
illumination. Each gives a number from 0 to 1:

- **size**: the shorter side of the box over 112 pixels, the size that embedding models look at.
- **frontality**: from the five landmarks. In coordinates along and across the line of the eyes, the nose of
  a face that looks at the camera lies midway between the eyes, and 0.55 of the way down to the mouth.
  `1 - |yaw|` times `1 - 2 |pitch|`, where yaw is how far the nose is beside the middle, in eye distances, and
  pitch how far it is from 0.55. It counts as 0.3 plus 0.7 of that: a profile is worse, but not useless.
- **detail**: what a blur (Gaussian, of 2 pixels) takes away from the upright face in 112 by 112 pixels: the
  standard deviation of the difference, in levels of 255; 6 and more is 1, 1.5 is 0. Faces out of focus or in
  the dark have little of it, and what is left looks alike in all of them.
- **light**: the mean of the same face: 1 up to 200, falling to 0 at 255.

The score is the cube root of their product: one property that is 0 makes the face useless. The figures were
chosen by the embeddings (mobilefacenet) of the tracks of `benchmarks.people`: those with a detail below 1.2,
all of people out of focus in the dark, are 0.5 to 0.8 like each other; from 2.0 on, different people are at
most 0.46 like each other, people in profile 0.42.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_models.base import FloatArray, Frame
from ml_models.crops import aligned_face, crop

LEAST_QUALITY = 0.36
"""A worse face is not taken for anybody's."""

_SIDE_PIXELS = 112.0
_NOSE_DOWN = 0.55
_LEAST_FRONTALITY = 0.3
_BLURRED_LEVELS, _DETAILED_LEVELS = 1.5, 6.0
_BLUR_PIXELS = 2.0
_LIGHT, _LIGHTEST = 200.0, 255.0
_INNER = (slice(16, 104), slice(16, 96))
"""Of an upright face: without hair and background."""


def face_quality(frame: Frame, box: FloatArray, landmarks: FloatArray | None) -> float:
    """The score of one face.

    Args:
        frame: BGR uint8 image (height, width, 3).
        box: Corners x1, y1, x2, y2 of the face in its pixels, (4,).
        landmarks: Its five landmarks, (5, 2). Without them, frontality counts as 1.
    """
    face = upright_face(frame, box, landmarks)[_INNER]
    known = sizes(box[None]) * (1.0 if landmarks is None else _turns(landmarks[None]))
    return float(np.cbrt(known[0] * detail(face) * light(face)))


def upright_face(frame: Frame, box: FloatArray, landmarks: FloatArray | None) -> Frame:
    """The face in 112 by 112 pixels of grey, turned upright by its landmarks if there are any."""
    if landmarks is not None:
        face = aligned_face(frame, landmarks)
    else:
        side = int(_SIDE_PIXELS)
        face = cv2.resize(crop(frame, box), (side, side))  # type: ignore[assignment]
    return cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)  # type: ignore[return-value]


def sizes(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Size of each box (n, 4): (n,)."""
    shorter = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]).astype(np.float64)
    return np.clip(shorter / _SIDE_PIXELS, 0.0, 1.0)


def frontalities(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Frontality of each face by its landmarks (n, 5, 2): (n,)."""
    left, right, nose, mouth_left, mouth_right = landmarks.astype(np.float64).transpose(1, 0, 2)
    middle, across = (left + right) / 2, right - left
    square = (across**2).sum(axis=1)
    down = np.stack([-across[:, 1], across[:, 0]], axis=1)
    mouth_height = (((mouth_left + mouth_right) / 2 - middle) * down).sum(axis=1)
    is_face = (square > 0) & (mouth_height > 0)
    yaw = ((nose - middle) * across).sum(axis=1) / np.where(is_face, square, 1.0)
    pitch = ((nose - middle) * down).sum(axis=1) / np.where(is_face, mouth_height, 1.0) - _NOSE_DOWN
    found = np.clip(1 - abs(yaw), 0, 1) * np.clip(1 - 2 * abs(pitch), 0, 1)
    return np.where(is_face, found, 0.0)


def _turns(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """What frontality counts, (n,)."""
    return _LEAST_FRONTALITY + (1 - _LEAST_FRONTALITY) * frontalities(landmarks)


def detail(face: Frame) -> float:
    """Detail of an upright face in grey."""
    levels = face.astype(np.float32)
    taken = float((levels - cv2.GaussianBlur(levels, (0, 0), _BLUR_PIXELS)).std())
    return min(1.0, max(0.0, (taken - _BLURRED_LEVELS) / (_DETAILED_LEVELS - _BLURRED_LEVELS)))


def light(face: Frame) -> float:
    """That an upright face in grey is not too light."""
    return min(1.0, max(0.0, (_LIGHTEST - float(face.mean())) / (_LIGHTEST - _LIGHT)))


def promise(
    boxes: NDArray[np.floating],
    landmarks: NDArray[np.floating],
    has_landmarks: NDArray[np.bool_],
    confidences: NDArray[np.floating],
    frame_size: tuple[int, int],
) -> NDArray[np.float64]:
    """How good each of n faces may be, without looking at its pixels: what is worth decoding, (n,).

    The square root of size times frontality, times confidence, times the square of the share of the box
    that lies in the frame. 0 for those whose quality cannot reach `LEAST_QUALITY` by these two alone.

    Args:
        boxes: (n, 4).
        landmarks: (n, 5, 2); zeros where there are none.
        has_landmarks: (n,).
        confidences: (n,).
        frame_size: Width and height.
    """
    known = sizes(boxes) * np.where(has_landmarks, _turns(landmarks), 1.0)
    corners = boxes.astype(np.float64)
    inside = np.clip(corners, 0.0, np.array([*frame_size, *frame_size], dtype=np.float64))
    share = _areas(inside) / np.maximum(_areas(corners), np.finfo(np.float64).tiny)
    return np.where(np.cbrt(known) >= LEAST_QUALITY, np.sqrt(known) * confidences * share**2, 0.0)


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return np.maximum(areas, 0.0)
