"""Where things were: how often each place of the frame was inside of a box."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.pictures.canvas import FAINT, RULE, Align, Canvas, Image
from tasks.pictures.page import HEAD_HEIGHT, MARGIN, TEXT_SIZE, Frame, counts_of, framed, title_of
from tasks.results.table import SegmentTable

_BAR_HEIGHT = 14
_FOOT = 64
_DARKEST = 64
"""The colour map's first colours would not be seen on a dark frame."""
_FULL_OPACITY = 0.8


class HeatMap:
    """Adds up boxes, in memory of the frame's size.

    Args:
        frame: The frame to draw over.
    """

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._steps = np.zeros((frame.height + 1, frame.width + 1), np.int64)
        """Differences down and to the right of how many boxes hold a pixel."""
        self._frames = 0

    def add(self, table: SegmentTable) -> None:
        """Add the boxes of a segment."""
        self._frames += len(table.frame_index)
        boxes = table.detections
        x1, x2 = (self._pixels(boxes[name].to_numpy(), self._frame.scale_x, 1) for name in ("x1", "x2"))
        y1, y2 = (self._pixels(boxes[name].to_numpy(), self._frame.scale_y, 0) for name in ("y1", "y2"))
        for ys, xs, step in ((y1, x1, 1), (y1, x2, -1), (y2, x1, -1), (y2, x2, 1)):
            np.add.at(self._steps, (ys, xs), step)

    def draw(self, summary: Mapping[str, Any]) -> Canvas:
        """The picture."""
        hits = self._steps[:-1, :-1].cumsum(0).cumsum(1) / max(self._frames, 1)
        blurred = cv2.GaussianBlur(hits.astype(np.float32), (0, 0), max(self._frame.width, 1) / 100)
        hottest = float(blurred.max()) if hits.size else 0.0
        heat = np.clip(blurred / hottest, 0, 1) if hottest else np.zeros_like(blurred)
        under = self._frame.faded()
        opacity = (_FULL_OPACITY * np.sqrt(heat))[..., None]
        picture = np.round(under * (1 - opacity) + _colors(heat) * opacity).astype(np.uint8)
        words = f"Where things were: {counts_of(summary)} in {self._frames:,} frames"
        canvas = framed(self._frame, picture, title_of(summary), words, (), _FOOT)
        self._draw_scale(canvas, hottest)
        return canvas

    def _draw_scale(self, canvas: Canvas, hottest: float) -> None:
        width = canvas.image.shape[1] - 2 * MARGIN
        length = min(width // 2, 420)
        top = HEAD_HEIGHT + self._frame.height + MARGIN
        shades = np.linspace(0, 1, length, dtype=np.float32)[None].repeat(_BAR_HEIGHT, 0)
        canvas.paste(_colors(shades), MARGIN, top)
        canvas.outline(
            [
                (MARGIN, top),
                (MARGIN + length, top),
                (MARGIN + length, top + _BAR_HEIGHT),
                (MARGIN, top + _BAR_HEIGHT),
            ],
            RULE,
        )
        for share in (0.0, 0.5, 1.0):
            x = MARGIN + share * length
            canvas.text(_number(share * hottest), x, top + _BAR_HEIGHT + 14, TEXT_SIZE, FAINT, Align.CENTER)
        canvas.text("detections per frame", MARGIN + length + 16, top + _BAR_HEIGHT / 2, TEXT_SIZE, FAINT)

    def _pixels(self, values: NDArray[Any], scale: float, axis: int) -> NDArray[np.int64]:
        most = self._steps.shape[axis] - 1
        return np.clip(np.round(values.astype(np.float64) * scale), 0, most).astype(np.int64)


def _number(value: float) -> str:
    return f"{value:.3g}"


def _colors(heat: NDArray[Any]) -> Image:
    """Inferno, whose brightness grows evenly and which the colour-blind read as well."""
    levels = np.round(_DARKEST + heat * (255 - _DARKEST)).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), np.uint8)
