"""Plain PyAV, written without `media`: what its results are compared with."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np


@dataclass(frozen=True)
class DecodedFrame:
    pts: int | None
    time: float | None
    digest: str
    width: int
    height: int


def digest(image: np.ndarray) -> str:
    return hashlib.sha1(np.ascontiguousarray(image).tobytes()).hexdigest()


def decode_all(path: Path, stream_number: int = 0, mirrored: bool = False) -> list[DecodedFrame]:
    """Every frame of a video stream, decoded one after the other, as people see it."""
    frames = []
    with av.open(str(path)) as container:
        stream = container.streams.video[stream_number]
        for frame in container.decode(stream):
            image = frame.to_ndarray(format="bgr24")
            image = image[:, ::-1] if mirrored else np.rot90(image, frame.rotation // 90)
            frames.append(DecodedFrame(frame.pts, frame.time, digest(image), image.shape[1], image.shape[0]))
    return frames
