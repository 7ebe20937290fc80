"""The clip that `framewise demo` analyses when it is given no video.

It pans and zooms over a portrait of Rear Admiral Grace Hopper that matplotlib ships among its sample data: an
official photograph of the United States Navy, in the public domain. The file itself names its source,
commons.wikimedia.org/wiki/File:Grace_Hopper.jpg; matplotlib took it in as a public-domain image (its pull
request 1599).
"""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import VideoFrame

FILE_NAME = "grace_hopper.mp4"
WIDTH, HEIGHT = 640, 480
FRAMES_PER_SECOND = 20
FRAME_COUNT = 160
_FRAMES_PER_KEY_FRAME = 20
# Centre and width of what is seen, as fractions of the photograph's width, at the ends of each leg.
_STOPS = (
    (0.50, 0.45, 1.00),
    (0.50, 0.44, 0.74),
    (0.61, 0.45, 0.78),
    (0.39, 0.47, 0.78),
    (0.50, 0.45, 1.00),
)


def demo_clip(directory: Path) -> Path:
    """The clip in `directory`; made at the first call."""
    path = directory / FILE_NAME
    if path.is_file():
        return path
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f".{os.getpid()}.{FILE_NAME}"
    try:
        _write(temporary)
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()
    return path


def _write(path: Path) -> None:
    import av

    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream(
            "libx264", rate=FRAMES_PER_SECOND, options={"crf": "20", "preset": "veryfast"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FRAMES_PER_SECOND)
        stream.gop_size = _FRAMES_PER_KEY_FRAME
        for frame in _frames():
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _frames() -> Iterator["VideoFrame"]:
    import numpy as np
    from av import VideoFrame
    from PIL import Image

    with as_file(files("matplotlib") / "mpl-data" / "sample_data" / "grace_hopper.jpg") as path:
        photo = Image.open(path).convert("RGB")
    for index in range(FRAME_COUNT):
        box = _visible_box(index / (FRAME_COUNT - 1), photo.width, photo.height)
        seen = photo.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=box)
        frame = VideoFrame.from_ndarray(np.asarray(seen), format="rgb24")
        frame.pts = index
        yield frame


def _visible_box(moment: float, width: int, height: int) -> tuple[float, float, float, float]:
    """What is seen of a photograph of this size at a moment from 0 to 1: left, top, right, bottom."""
    leg = min(int(moment * (len(_STOPS) - 1)), len(_STOPS) - 2)
    along = moment * (len(_STOPS) - 1) - leg
    eased = (1 - math.cos(math.pi * along)) / 2
    x, y, share = (a + (b - a) * eased for a, b in zip(_STOPS[leg], _STOPS[leg + 1], strict=True))
    seen_width = share * width
    seen_height = seen_width * HEIGHT / WIDTH
    left = min(max(0.0, x * width - seen_width / 2), width - seen_width)
    top = min(max(0.0, y * width - seen_height / 2), height - seen_height)
    return left, top, left + seen_width, top + seen_height
