"""Frames scaled, and boxes scaled back."""

import cv2
import numpy as np
import numpy.typing as npt

from ml_models.base import FloatArray, Frame


def scaled_size(width: int, height: int, scale: float) -> tuple[int, int]:
    """Width and height times `scale`, rounded down, at least 1 pixel each."""
    return max(1, int(width * scale)), max(1, int(height * scale))


def size_factors(size: tuple[int, int], scaled: tuple[int, int]) -> FloatArray:
    """What x1, y1, x2, y2 in an image of size `scaled` are multiplied with to get pixels of size `size`."""
    return np.array([size[0] / scaled[0], size[1] / scaled[1]] * 2, dtype=np.float32)


def shrunk(frame: Frame, longest_side: int) -> Frame:
    """The frame itself if neither side is longer, else a smaller copy."""
    height, width = frame.shape[:2]
    size = scaled_size(width, height, min(1.0, longest_side / max(width, height)))
    if size == (width, height):
        return frame
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def corners(rectangles: npt.ArrayLike) -> FloatArray:
    """OpenCV's rectangles (x, y, width, height) as x1, y1, x2, y2 (n, 4)."""
    boxes = np.array(rectangles, dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes
