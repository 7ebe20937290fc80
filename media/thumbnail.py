"""A small picture that stands for a video."""

from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from media.errors import TimelineMismatchError
from media.frames import read_frames
from media.segments import plan_segments
from media.timeline import Timeline

JPEG_QUALITY = 85
_CANDIDATE_SHARES = (0.0, 0.05, 0.1, 0.25, 0.5)
_LIVELY = 20.0
"""Standard deviation of grey levels above which a picture shows something."""


def thumbnail_jpeg(image: NDArray[np.uint8], max_side: int = 480) -> bytes:
    """JPEG of a BGR image (height, width, 3), scaled down to fit `max_side`, never up."""
    height, width = image.shape[:2]
    scale = min(1.0, max_side / max(height, width))
    if scale < 1.0:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()


def representative_image(
    source: str | Path,
    timeline: Timeline,
    *,
    window_seconds: tuple[float, float] | None = None,
    on_packet: Callable[[], None] | None = None,
) -> NDArray[np.uint8]:
    """An early frame as BGR (height, width, 3) that is not black or blank, else the liveliest of those tried.

    It has the shape that players show: where pixels are not square, the picture is shrunk along one side.
    Key frames nearest to a few places of the video are tried; where only decoding from the start is exact,
    only its first seconds are. `window_seconds` are the times of the first and the last frame to look at, all
    by default. `on_packet` is called for each packet read.
    """
    best: NDArray[np.uint8] | None = None
    best_deviation = -1.0
    first, last = 0, timeline.frame_count - 1
    if window_seconds is not None:
        first, last = np.searchsorted(timeline.timestamps_seconds, window_seconds).tolist()
    for index in _candidates(timeline, first, min(last, timeline.frame_count - 1)):
        image = _read_one(source, timeline, index, on_packet)
        if image is None:
            continue
        deviation = float(image.std())
        if deviation > best_deviation:
            best, best_deviation = image, deviation
        if deviation >= _LIVELY:
            break
    if best is None:
        best = np.zeros((timeline.height, timeline.width, 3), np.uint8)
    return _with_square_pixels(best, timeline.pixel_aspect)


def _with_square_pixels(image: NDArray[np.uint8], pixel_aspect: Fraction) -> NDArray[np.uint8]:
    if pixel_aspect == 1:
        return image
    height, width = image.shape[:2]
    size = (
        max(round(width * min(pixel_aspect, Fraction(1))), 1),
        max(round(height / max(pixel_aspect, Fraction(1))), 1),
    )
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _candidates(timeline: Timeline, first: int, last: int) -> list[int]:
    key_frames = np.flatnonzero(timeline.key_frame)
    wanted = [first + int(share * (last - first)) for share in _CANDIDATE_SHARES]
    if len(key_frames) == 1:
        return sorted({min(index, max(first, 250)) for index in wanted})
    indices = (int(key_frames[np.searchsorted(key_frames, index, side="right") - 1]) for index in wanted)
    return list(dict.fromkeys(max(index, first) for index in indices))


def _read_one(
    source: str | Path, timeline: Timeline, index: int, on_packet: Callable[[], None] | None
) -> NDArray[np.uint8] | None:
    times = timeline.timestamps_seconds
    end = float(times[index + 1]) if index + 1 < len(times) else None
    plans = plan_segments(timeline, target_seconds=1e9, start_seconds=float(times[index]), end_seconds=end)
    try:
        for plan in plans:
            with closing(read_frames(source, plan, timeline.time_base, on_packet=on_packet)) as frames:
                for frame in frames:
                    return frame.image
    except TimelineMismatchError:
        return None
    return None
