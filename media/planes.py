"""Frames as YUV 4:2:0 planes, ready to be drawn on and encoded."""

from collections.abc import Sequence

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from media.drawing import Canvas, OverlayBox, draw_boxes
from media.orientation import UPRIGHT, orientation_of
from media.picture import PictureConverter, turn

# By FFmpeg's AVCOL_SPC_*: 1 BT.709, 4 FCC, 7 SMPTE 240M, 9 and 10 BT.2020; any other counts as BT.601.
_LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
_BT601_WEIGHTS = (0.299, 0.114)
_SCALER_COLORSPACES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}


def even(value: int) -> int:
    """`value`, or one more if it is odd: 4:2:0 encoders want even sizes."""
    return value + (value & 1)


class PlanarPictures:
    """Brings frames into limited-range yuv420p, upright and of one even size, and draws on them.

    Args:
        width: As shown.
        height: Likewise.
        colorspace: AVCOL_SPC_* of the output.
    """

    def __init__(self, width: int, height: int, colorspace: int) -> None:
        self._width = width
        self._height = height
        self._colorspace = colorspace
        self._luma_weights = _LUMA_WEIGHTS.get(colorspace, _BT601_WEIGHTS)
        self._reformatter = VideoReformatter()
        self._converter = PictureConverter(width, height)

    def prepare(self, frame: VideoFrame, boxes: Sequence[OverlayBox]) -> VideoFrame:
        """A frame to encode; `frame` itself where nothing needs to change."""
        orientation = orientation_of(frame)
        width, height = orientation.display_size(self._width, self._height)
        is_odd = bool(self._width % 2 or self._height % 2)
        if not self._is_ready(frame, width, height) and is_odd:
            picture = self._even_by_bgr(frame)
        else:
            picture = frame if self._is_ready(frame, width, height) else self._to_planes(frame, width, height)
            if is_odd or orientation != UPRIGHT:
                planes = [turn(plane, orientation) for plane in _planes(picture)]
                picture = _even_frame(planes, even(self._width), even(self._height))
            elif boxes:
                picture.make_writable()
        if boxes:
            self._draw(picture, boxes)
        picture.pict_type = 0  # else the encoder repeats the source's choice of key frames
        return picture

    def _to_planes(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        return self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="yuv420p",
            dst_colorspace=_SCALER_COLORSPACES.get(self._colorspace, Colorspace.ITU601),
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )

    def _even_by_bgr(self, frame: VideoFrame) -> VideoFrame:
        """Pad before the colours are halved, which the scaler does askew at odd sizes."""
        image = self._converter.to_bgr(frame)
        rows, columns = self._height % 2, self._width % 2
        padded = np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="edge")
        return self._to_planes(
            VideoFrame.from_numpy_buffer(padded, "bgr24"), padded.shape[1], padded.shape[0]
        )

    def _is_ready(self, frame: VideoFrame, width: int, height: int) -> bool:
        return (
            frame.format.name == "yuv420p"
            and frame.color_range != ColorRange.JPEG.value
            and (frame.width, frame.height) == (width, height)
            and frame.colorspace == self._colorspace
            and frame.planes[0].line_size > 0
        )

    def _draw(self, picture: VideoFrame, boxes: Sequence[OverlayBox]) -> None:
        luma, blue, red = _planes(picture)
        draw_boxes(
            Canvas(
                luma[: self._height, : self._width],
                blue[: (self._height + 1) // 2, : (self._width + 1) // 2],
                red[: (self._height + 1) // 2, : (self._width + 1) // 2],
                self._luma_weights,
            ),
            boxes,
        )


def _planes(frame: VideoFrame) -> list[NDArray[np.uint8]]:
    """Views (height, width) of the three planes of a yuv420p frame."""
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in frame.planes
    ]


def _even_frame(planes: list[NDArray[np.uint8]], width: int, height: int) -> VideoFrame:
    frame = VideoFrame(width, height, "yuv420p")
    for plane, target in zip(planes, _planes(frame), strict=True):
        rows, columns = plane.shape
        target[:rows, :columns] = plane
        target[rows:, :columns] = plane[-1:]
        target[:, columns:] = target[:, columns - 1 : columns]
    return frame
