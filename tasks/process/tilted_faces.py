"""Faces of a photo that are not upright.

Detectors are taught with upright faces. YuNet finds a tilted one, but puts its landmarks nearly where those
of an upright one would lie: at 30 degrees the line between the eyes may be off by 28. So the first look
cannot tell that a face is tilted. In a square that it half fills, some 250 pixels wide, it sees them well;
that is turned by what they say until they are upright.

Five photos of one face each, turned by 10 to 40 degrees either way, had a cosine to themselves upright
(mobilefacenet, where 0.35 is the same person) of -0.03 to 0.97 without this, and have 0.93 to 0.99 with it;
turned by 90 or 180 degrees, 0.85 to 0.99. An upright face takes one look of about 20 ms, others up to seven.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml_models.base import FloatArray, Frame

CUT_PIXELS = 512
"""Side of the square in which a face is looked at again."""

_CUT_WIDTHS = 2.0
"""Side of that square in longer sides of the face's box."""

_LARGEST_ROLL = 4.0
"""Degrees; a face that is tilted more is turned and looked at again."""

_MOST_TURNS = 3
_SURE = 0.9
"""A face that is found with less confidence may lie on its side, or upside down."""

_MORE_TURNS = (90.0, 180.0, 270.0)


@dataclass(frozen=True)
class Faces:
    """Faces of a photo, the largest and most certain first.

    Attributes:
        boxes: float32 (n, 4): corners in pixels of the array that was looked at.
        confidence: float32 (n,).
        landmarks: float32 (n, 5, 2); None if the detector gives none.
    """

    boxes: FloatArray
    confidence: FloatArray
    landmarks: FloatArray | None

    def __len__(self) -> int:
        return len(self.boxes)


Detect = Callable[[Frame], Faces]


@dataclass(frozen=True)
class _Square:
    """A turned square of a photo.

    Attributes:
        center: In pixels of the photo.
        side: Likewise.
        turn: Degrees clockwise by which what is upright in it is tilted in the photo.
        pixels: Its side when it is looked at.
    """

    center: NDArray[np.float64]
    side: float
    turn: float
    pixels: int

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3): from the photo to the square."""
        matrix = cv2.getRotationMatrix2D((0.0, 0.0), self.turn, self.pixels / self.side)
        matrix[:, 2] = self.pixels / 2 - matrix[:, :2] @ self.center
        return np.asarray(matrix, np.float64)

    def cut(self, photo: Frame) -> Frame:
        """It from the photo, whose edge is drawn out."""
        height, width = photo.shape[:2]
        reach = self.side * math.sqrt(0.5) + 1
        left, top = np.floor(self.center - reach).clip(0).astype(int)
        right, bottom = np.ceil(self.center + reach).clip(None, [width, height]).astype(int)
        part = photo[top:bottom, left:right]
        factor = min(1.0, self.pixels / self.side)
        size = max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor))
        small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        # Pixel centres lie at whole numbers.
        scale = np.array([right - left, bottom - top]) / size
        matrix = self.matrix
        matrix[:, 2] += matrix[:, :2] @ ((scale - 1) / 2 + (left, top))
        matrix[:, :2] *= scale
        return cv2.warpAffine(  # type: ignore[return-value]
            small, matrix, (self.pixels, self.pixels), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )

    def to_photo(self, points: FloatArray) -> FloatArray:
        """Points (..., 2) of the square in pixels of the photo."""
        back = cv2.invertAffineTransform(self.matrix)
        moved: FloatArray = (points @ back[:, :2].T + back[:, 2]).astype(np.float32)
        return moved


def faces_turned(detect: Detect, photo: Frame, turn: float, pixels: int) -> Faces:
    """The faces that are found when the whole photo is turned by so many degrees, in its own pixels.

    A box is the upright one around the ellipse that fills the box which was found.
    """
    height, width = photo.shape[:2]
    angle = math.radians(turn)
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    side = max(width * cosine + height * sine, width * sine + height * cosine)
    square = _Square(np.array([width, height]) / 2, side, turn, pixels)
    found = detect(square.cut(photo))
    corners = found.boxes.reshape(-1, 2, 2)
    centers = square.to_photo(corners.mean(axis=1))
    half = (corners[:, 1] - corners[:, 0]) / 2 * (side / pixels)
    half = np.hypot(half * cosine, half[:, ::-1] * sine)
    boxes = np.stack([centers - half, centers + half], axis=1).clip(0, [width, height])
    kept = np.flatnonzero((boxes[:, 1] - boxes[:, 0] >= 1).all(axis=1))
    landmarks = None if found.landmarks is None else square.to_photo(found.landmarks[kept])
    return Faces(boxes[kept].reshape(-1, 4).astype(np.float32), found.confidence[kept], landmarks)


def upright_landmarks(detect: Detect, photo: Frame, box: FloatArray, landmarks: FloatArray) -> FloatArray:
    """The landmarks (5, 2) of a face, seen where it is large and upright; those given if it is not seen."""
    first = _looked(detect, photo, box, 0.0)
    if first is None or first.confidence < _SURE:
        looks = [first, *(_looked(detect, photo, box, turn) for turn in _MORE_TURNS)]
        first = max((look for look in looks if look), key=lambda look: look.confidence, default=None)
    if first is None:
        return landmarks
    best = first
    for _ in range(_MOST_TURNS):
        if abs((best.roll - best.turn + 180) % 360 - 180) <= _LARGEST_ROLL:
            break
        look = _looked(detect, photo, box, best.roll)
        if look is None:
            break
        best = look
    return best.landmarks


@dataclass(frozen=True)
class _Look:
    """A face as it is seen in a turned square; landmarks are in pixels of the photo."""

    turn: float
    landmarks: FloatArray
    confidence: float

    @property
    def roll(self) -> float:
        """Degrees clockwise by which the line between its eyes is tilted in the photo."""
        x, y = self.landmarks[1] - self.landmarks[0]
        return math.degrees(math.atan2(y, x))


def _looked(detect: Detect, photo: Frame, box: FloatArray, turn: float) -> _Look | None:
    """The face nearest to the middle of the box, if one is near enough."""
    height, width = photo.shape[:2]
    corners = box.astype(np.float64).reshape(2, 2)
    face_side = max(1.0, float((corners[1] - corners[0]).max()))
    center = corners.mean(axis=0).clip(0, [width - 1, height - 1])
    square = _Square(center, _CUT_WIDTHS * face_side, turn, CUT_PIXELS)
    found = detect(square.cut(photo))
    if len(found) == 0 or found.landmarks is None:
        return None
    distances = np.linalg.norm(found.boxes.reshape(-1, 2, 2).mean(axis=1) - CUT_PIXELS / 2, axis=1)
    nearest = int(distances.argmin())
    if distances[nearest] * _CUT_WIDTHS * 2 > CUT_PIXELS:
        return None
    return _Look(turn, square.to_photo(found.landmarks[nearest]), float(found.confidence[nearest]))
