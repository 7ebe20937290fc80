"""Frames into network inputs: scaled, padded, as planes of float32, without needless copies."""

import cv2
import numpy as np

from ml_models.base import FloatArray, Frame


class Letterbox:
    """Places frames, scaled to one size, at the top left of a padded input.

    Its buffers are reused: the next frame overwrites an input that was returned.

    Args:
        size: Width and height that every frame takes in the input.
        input_size: Width and height of the input.
        padding: The grey value right of and below the frame.
    """

    def __init__(self, size: tuple[int, int], input_size: tuple[int, int], padding: int) -> None:
        width, height = size
        self._size = size
        self._resized = np.empty((height, width, 3), dtype=np.uint8)
        self._planes = np.empty((3, height, width), dtype=np.uint8)
        self._plane_views = list(self._planes)
        self._input = np.full((1, 3, input_size[1], input_size[0]), padding, dtype=np.float32)
        self._target = self._input[0, :, :height, :width]

    def __call__(self, frame: Frame) -> FloatArray:
        """The input (1, 3, height, width), channels in the frame's order, values 0 to 255."""
        if frame.shape[1::-1] != self._size:
            cv2.resize(frame, self._size, dst=self._resized, interpolation=cv2.INTER_LINEAR)
            frame = self._resized
        cv2.split(frame, self._plane_views)
        np.copyto(self._target, self._planes)
        return self._input
