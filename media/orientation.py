"""How a decoded picture must be turned before it is shown."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from av.buffer import Buffer
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame


@dataclass(frozen=True)
class Orientation:
    """Transpose first, then flip: the eight ways a picture can lie.

    Args:
        transposed: Rows become columns.
        flipped_x: Mirrored left to right, after transposing.
        flipped_y: Mirrored top to bottom, after transposing.
    """

    transposed: bool = False
    flipped_x: bool = False
    flipped_y: bool = False

    @property
    def rotation_degrees(self) -> int:
        """Clockwise turn, 0, 90, 180 or 270, that a mirrored picture needs after its mirroring."""
        if self.transposed:
            return 90 if self.flipped_x else 270
        return 180 if self.flipped_y else 0

    def display_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as shown, of a picture coded as `width` by `height`."""
        return (height, width) if self.transposed else (width, height)


UPRIGHT = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation:
    """Read the display matrix of `frame`; angles between the quarters go to the nearest one.

    The matrix maps a stored point (x, y) to (a·x + c·y, b·x + d·y); see libavutil/display.h.
    """
    matrix = _side_data(frame).get("DISPLAYMATRIX")
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(transposed=True, flipped_x=c < 0, flipped_y=b < 0)
    return Orientation(flipped_x=a < 0, flipped_y=d < 0)


def _side_data(frame: VideoFrame) -> Mapping[str, Buffer]:
    """Like `frame.side_data`, but not kept by the frame.

    That would be a cycle, and pictures would wait for the garbage collector, a hundred at a time.
    """
    return cast(Mapping[str, Buffer], SideDataContainer(frame))  # type: ignore[call-arg]
