"""A polygon of the frame outside of which nothing counts."""

from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.base import Frame
from ml_models.looking.moving import moved

MARGIN = 0.1
"""Of the width and height of the region's rectangle, looked at on each side of it as well."""
SMALLEST_SIDE = 320
"""Pixels that are looked at at least, each way: models are made for things amid surroundings."""
MOST_AREA = 0.5
"""Of the frame: a larger rectangle is not cut out."""


class Region:
    """A polygon; what has its centre in it or on its edge counts.

    Where the polygon's rectangle, with a margin, takes at most half of the frame, the model is given that
    part alone: it costs the same or less, and small things in it come out larger in the model's input.

    Args:
        points: Corners as shares of the frame's width and height.
        width: Of the frames, in pixels.
        height: Likewise.
    """

    def __init__(self, points: Sequence[Sequence[float]], width: int, height: int) -> None:
        self._shares = np.array(points, dtype=np.float64).reshape(-1, 2)
        self._polygon = (self._shares * (width, height)).astype(np.float32)
        self._part = self._cut_out(width, height)

    def _cut_out(self, width: int, height: int) -> tuple[int, int, int, int] | None:
        corners = np.concatenate((self._polygon.min(axis=0), self._polygon.max(axis=0)))
        sides = [
            _widened(float(corners[axis]), float(corners[axis + 2]), size)
            for axis, size in enumerate((width, height))
        ]
        (left, right), (top, bottom) = sides
        if (right - left) * (bottom - top) > MOST_AREA * width * height:
            return None
        return left, top, right, bottom

    @property
    def part(self) -> tuple[int, int, int, int] | None:
        """What is cut out of a frame for the model, x1, y1, x2, y2; None: the whole frame."""
        return self._part

    def cut(self, frame: Frame) -> Frame:
        """What a model is to be given of a frame."""
        if self._part is None:
            return frame
        left, top, right, bottom = self._part
        return np.ascontiguousarray(frame[top:bottom, left:right])

    def kept(self, detections: sv.Detections) -> sv.Detections:
        """Of the detections in what `cut` gave those in the region, in pixels of the frame."""
        if self._part is not None:
            detections = moved(detections, self._part[0], self._part[1])
        if not len(detections):
            return detections
        return cast(sv.Detections, detections[self.has(detections.xyxy)])

    def has(self, boxes: NDArray[Any]) -> NDArray[np.bool_]:
        """Which boxes (n, 4), xmin, ymin, xmax, ymax in pixels of the frame, are in the region."""
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = [cv2.pointPolygonTest(self._polygon, (float(x), float(y)), False) >= 0 for x, y in centers]
        return np.array(inside, dtype=np.bool_)

    def mask(self, width: int, height: int) -> NDArray[np.bool_]:
        """Which cells (height, width) of a grid over the frame the region touches."""
        mask = np.zeros((height, width), dtype=np.uint8)
        cells = np.clip(np.floor(self._shares * (width, height)), 0, (width - 1, height - 1))
        cv2.fillPoly(mask, [cells.astype(np.int32)], 1)
        return mask.astype(np.bool_)


def _widened(start: float, end: float, size: int) -> tuple[int, int]:
    """Whole pixels from `start` to `end`, with the margin, within a frame of that size."""
    margin = max(MARGIN * (end - start), (SMALLEST_SIDE - (end - start)) / 2)
    return max(0, int(np.floor(start - margin))), min(size, int(np.ceil(end + margin)))
