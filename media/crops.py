"""Cutting boxes out of a video's frames: a zip of JPEG files, decoding only what they need."""

import math
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from media.chosen_frames import read_chosen_frames
from media.errors import MediaError
from media.timeline import Timeline

_JPEG_QUALITY = 95
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The same bytes whenever it is made."""


@dataclass(frozen=True)
class Crop:
    """A box to cut out.

    Args:
        frame_index: Of the frame.
        corners: xmin, ymin, xmax, ymax in pixels; it may reach over the frame's edge.
        name: The path of its file in the zip.
    """

    frame_index: int
    corners: tuple[float, float, float, float]
    name: str


def write_crops(
    source: str | Path,
    path: Path,
    crops: Iterable[Crop],
    *,
    timeline: Timeline,
    on_packet: Callable[[], None] | None = None,
    thread_count: int = 1,
) -> None:
    """Write a zip of these crops, in order of their frames; what lies outside of the frame is left out.

    Raises:
        MediaError: If the video cannot be read, or gives other frames than its timeline.
    """
    wanted = sorted(crops, key=lambda crop: (crop.frame_index, crop.name))
    by_frame = {index: list(found) for index, found in groupby(wanted, lambda crop: crop.frame_index)}
    frames = read_chosen_frames(source, by_frame, timeline, on_packet=on_packet, thread_count=thread_count)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for frame in frames:
            for crop in by_frame[frame.index]:
                picture = cut_out(frame.image, crop.corners)
                if picture is not None:
                    archive.writestr(zipfile.ZipInfo(crop.name, _EPOCH), encode_jpeg(picture))


def cut_out(image: NDArray[np.uint8], corners: tuple[float, float, float, float]) -> NDArray[np.uint8] | None:
    """The part of an image (height, width, 3) within a box, whole pixels; None if nothing of it is inside."""
    height, width = image.shape[:2]
    x1, y1 = max(0, math.floor(corners[0])), max(0, math.floor(corners[1]))
    x2, y2 = min(width, math.ceil(corners[2])), min(height, math.ceil(corners[3]))
    return image[y1:y2, x1:x2] if x1 < x2 and y1 < y2 else None


def encode_jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A BGR picture (height, width, 3) as a JPEG file."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise MediaError("A crop cannot be written as JPEG")
    return data.tobytes()
