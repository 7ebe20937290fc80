"""Where a frame lies in a network's input, and pixels as networks want them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from ml_models.base import FloatArray, Frame
from ml_models.scaling import scaled_size, size_factors

_HALF_UP = 0.1
"""What Ultralytics takes from half a border before it rounds."""


class Fit(Enum):
    """How a frame of another shape gets into an input of one size."""

    TOP_LEFT = "top-left"
    """Scaled to fit, the rest of the input right or below is grey: YOLOX."""
    CENTER = "center"
    """Scaled to fit, half of the grey on either side: Ultralytics."""
    STRETCH = "stretch"
    """Width and height scaled each by itself: RT-DETR and D-FINE."""


@dataclass(frozen=True)
class Placement:
    """Where frames of one size lie in the input.

    Args:
        size: Width and height that the frame takes there.
        offset: Of its top left corner from that of the input, x and y.
        to_frame: What distances in the input are multiplied with to get pixels of the frame: x, y, x, y.
    """

    size: tuple[int, int]
    offset: tuple[int, int]
    to_frame: FloatArray

    def boxes_in_frame(self, boxes: FloatArray) -> FloatArray:
        """Corners (n, 4) in pixels of the input as pixels of the frame."""
        shift = np.array(self.offset * 2, dtype=np.float32)
        result: FloatArray = (boxes - shift) * self.to_frame
        return result


def place(frame_size: tuple[int, int], input_size: tuple[int, int], fit: Fit) -> Placement:
    """Where a frame lies in an input; sizes are width and height."""
    if fit is Fit.STRETCH:
        return Placement(input_size, (0, 0), size_factors(frame_size, input_size))
    scale = min(input_size[0] / frame_size[0], input_size[1] / frame_size[1])
    if fit is Fit.TOP_LEFT:
        size = scaled_size(*frame_size, scale)
        return Placement(size, (0, 0), size_factors(frame_size, size))
    size = max(1, round(frame_size[0] * scale)), max(1, round(frame_size[1] * scale))
    offset = _border(input_size[0] - size[0]), _border(input_size[1] - size[1])
    return Placement(size, offset, np.full(4, 1 / scale, dtype=np.float32))


def _border(room: int) -> int:
    return max(0, round(room / 2 - _HALF_UP))


class NormalizedInput:
    """Makes inputs of frames of one size; its buffers are reused for the next frame.

    Args:
        placement: Where the frame lies.
        input_size: Width and height of the input.
        scale: What pixels are multiplied with, before the mean.
        mean: Taken from each channel, in the order of the input's channels.
        std: What each is divided by then.
        padding: The grey value around the frame, from 0 to 255.
        is_rgb: Whether the input's first channel is red; frames are BGR.
        is_channels_last: Whether the input is (1, height, width, 3).
        interpolation: Of `cv2.resize`.
    """

    def __init__(
        self,
        placement: Placement,
        input_size: tuple[int, int],
        *,
        scale: float = 1.0,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        padding: int = 114,
        is_rgb: bool = False,
        is_channels_last: bool = False,
        interpolation: int = cv2.INTER_LINEAR,
    ) -> None:
        width, height = input_size
        self._size = placement.size
        self._interpolation = interpolation
        self._order = (2, 1, 0) if is_rgb else (0, 1, 2)
        levels = np.arange(256, dtype=np.float32) * np.float32(scale)
        self._tables = [
            (levels - np.float32(mean[channel])) / np.float32(std[channel]) for channel in range(3)
        ]
        shape = (1, height, width, 3) if is_channels_last else (1, 3, height, width)
        self._input = np.empty(shape, dtype=np.float32)
        planes = self._input[0].transpose(2, 0, 1) if is_channels_last else self._input[0]
        for plane, table in zip(planes, self._tables, strict=True):
            plane[...] = table[padding]
        x, y = placement.offset
        self._targets = [plane[y : y + self._size[1], x : x + self._size[0]] for plane in planes]
        self._resized = np.empty((self._size[1], self._size[0], 3), dtype=np.uint8)
        self._plane = np.empty((self._size[1], self._size[0]), dtype=np.uint8)

    def __call__(self, frame: Frame) -> FloatArray:
        """The input of a frame: float32 (1, 3, height, width), or (1, height, width, 3)."""
        if frame.shape[1::-1] != self._size:
            cv2.resize(frame, self._size, dst=self._resized, interpolation=self._interpolation)
            frame = self._resized
        for channel, table, target in zip(self._order, self._tables, self._targets, strict=True):
            cv2.extractChannel(frame, channel, self._plane)
            np.copyto(target, cv2.LUT(self._plane, table))
        return self._input
