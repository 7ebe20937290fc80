"""From a decoded frame to a BGR picture as people see it."""

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from media.orientation import Orientation, orientation_of

_TURNS = {
    (True, True, False): cv2.ROTATE_90_CLOCKWISE,
    (False, True, True): cv2.ROTATE_180,
    (True, False, True): cv2.ROTATE_90_COUNTERCLOCKWISE,
}

_LUMA_PLANES = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray"}
)
"""Pixel formats whose first plane holds the brightness, a byte each."""


class PictureConverter:
    """Converts frames of one stream; keeps FFmpeg's scaler between them.

    FFmpeg's scaler is used throughout because it follows each frame's own tags: limited or full range, the
    BT.601, BT.709 or BT.2020 matrix (BT.601 where untagged), every pixel format. Its pixels are PyAV's
    `to_ndarray(format="bgr24")`, at most 3 levels from exact arithmetic. OpenCV's YUV conversions know
    limited BT.601 only, are up to 45 levels off on anything else, and are no faster on one thread.

    Args:
        width: Of every picture, as shown; frames of another size are scaled to it.
        height: Likewise.
    """

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._height = height
        self._reformatter = VideoReformatter()
        self._gray_reformatter = VideoReformatter()

    def to_bgr(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """A contiguous uint8 array (height, width, 3), the caller's own to draw on."""
        orientation = orientation_of(frame)
        width, height = orientation.display_size(self._width, self._height)
        picture = self._reformatter.reformat(frame, width=width, height=height, format="bgr24", threads=1)
        pixels: NDArray[np.uint8] = picture.to_ndarray()  # type: ignore[assignment]
        turned = turn(pixels, orientation)
        if picture is frame and turned is pixels:
            return pixels.copy()  # the decoder may still refer to it
        return np.ascontiguousarray(turned)

    def to_luma(self, frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        """Brightness alone, uint8 (height, width), upright, averaged down to that size.

        Of most frames it is stored in a plane of its own, so no colour is converted.
        """
        orientation = orientation_of(frame)
        plane = frame.planes[0]
        if frame.format.name not in _LUMA_PLANES or plane.line_size < 0:
            plane = self._gray_reformatter.reformat(frame, format="gray", threads=1).planes[0]
        pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        size = orientation.display_size(width, height)
        small = cv2.resize(pixels[: plane.height, : plane.width], size, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(turn(small, orientation))  # type: ignore[arg-type]


def turn(pixels: NDArray[np.uint8], orientation: Orientation) -> NDArray[np.uint8]:
    """Turn a picture (height, width, 3) upright; the same array if it is so already."""
    key = (orientation.transposed, orientation.flipped_x, orientation.flipped_y)
    if key in _TURNS:
        return cv2.rotate(pixels, _TURNS[key])  # type: ignore[return-value]
    if orientation.transposed:
        pixels = cv2.transpose(pixels)  # type: ignore[assignment]
    if orientation.flipped_x and orientation.flipped_y:
        return cv2.flip(pixels, -1)  # type: ignore[return-value]
    if orientation.flipped_x:
        return cv2.flip(pixels, 1)  # type: ignore[return-value]
    if orientation.flipped_y:
        return cv2.flip(pixels, 0)  # type: ignore[return-value]
    return pixels
