"""Faces cut out of frames with what is around them: small enough to keep many, large enough for every use."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_models.base import FloatArray, Frame
from ml_models.crops import ARCFACE_TEMPLATE, similarity_transform

_PADDING = 0.6
"""Of the longer side of the box, on each side of it."""
_LARGEST_FACE_PIXELS = 160
"""Shorter side of the box; larger faces are scaled down, as embedding models look at 112 pixels."""

PORTRAIT_PIXELS = 256
_PORTRAIT_SCALE = 1.3
"""Of the upright face that embedding models see; it lies in the middle, with hair and shoulders around it."""
_PORTRAIT_WIDTHS = 1.75
"""Width of a portrait in longer sides of the box, where there are no landmarks."""


@dataclass(frozen=True, eq=False)
class FaceChip:
    """A face and its surroundings.

    Args:
        image: BGR uint8 (height, width, 3).
        box: The face's corners x1, y1, x2, y2 in its pixels, float32 (4,).
        landmarks: Its five landmarks, float32 (5, 2), if they are known.
    """

    image: Frame
    box: FloatArray
    landmarks: FloatArray | None


def cut_chip(
    frame: Frame, box: NDArray[np.floating], landmarks: NDArray[np.floating] | None
) -> FaceChip | None:
    """The chip of one face of a frame; None if its box lies outside."""
    height, width = frame.shape[:2]
    padding = _PADDING * float(max(box[2] - box[0], box[3] - box[1]))
    left, top = np.floor(box[:2] - padding).clip(0, [width, height]).astype(int)
    right, bottom = np.ceil(box[2:] + padding).clip(0, [width, height]).astype(int)
    if left >= right or top >= bottom:
        return None
    image = frame[top:bottom, left:right]
    factor = min(1.0, _LARGEST_FACE_PIXELS / float(min(box[2] - box[0], box[3] - box[1])))
    size = max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if factor < 1 else image.copy()  # type: ignore[assignment]
    scale = np.array(size) / (right - left, bottom - top)
    origin = np.array([left, top])

    def moved(points: NDArray[np.floating]) -> FloatArray:
        # Pixel centres lie at whole numbers.
        result: FloatArray = ((points - origin + 0.5) * scale - 0.5).astype(np.float32)
        return result

    corners = moved(box.reshape(2, 2)).ravel()
    return FaceChip(image, corners, None if landmarks is None else moved(landmarks))


def portrait(chip: FaceChip) -> Frame:
    """The face upright and in the middle of 256 by 256 pixels; the frame's edge is drawn out."""
    side = PORTRAIT_PIXELS
    if chip.landmarks is None:
        center = (chip.box[:2] + chip.box[2:]) / 2
        scale = side / (_PORTRAIT_WIDTHS * float(max(chip.box[2:] - chip.box[:2])))
        shift = side / 2 - center * scale
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], dtype=np.float64)
    else:
        middle = np.full(2, 112 / 2)
        target = (ARCFACE_TEMPLATE - middle) * _PORTRAIT_SCALE + side / 2
        matrix = similarity_transform(chip.landmarks.astype(np.float64), target)
    return cv2.warpAffine(  # type: ignore[return-value]
        chip.image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
