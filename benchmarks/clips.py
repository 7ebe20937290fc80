"""Clips to measure with."""

import itertools
import secrets
import shutil
from pathlib import Path

import av
import cv2

_numbers = itertools.count()


def make_720p(source: Path, destination: Path, frame_count: int = 600) -> Path:
    """The first frames of a real clip, scaled to 1280x720 at 30 frames a second, a key frame every 2 s."""
    with av.open(str(source)) as reading, av.open(str(destination), "w") as writing:
        stream = writing.add_stream(
            "libx264", rate=30, options={"preset": "veryfast", "crf": "23", "g": "60"}
        )
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for frame in itertools.islice(reading.decode(video=0), frame_count):
            image = cv2.resize(frame.to_ndarray(format="bgr24"), (1280, 720), interpolation=cv2.INTER_CUBIC)
            writing.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        writing.mux(stream.encode())
    return destination


def make_part(source: Path, destination: Path, frame_count: int = 600) -> Path:
    """The first frames of a clip, its packets copied as they are."""
    with av.open(str(source)) as reading, av.open(str(destination), "w") as writing:
        stream = reading.streams.video[0]
        copy = writing.add_stream_from_template(stream)
        for packet in itertools.islice(reading.demux(stream), frame_count):
            if packet.dts is not None:
                packet.stream = copy
                writing.mux(packet)
    return destination


def with_new_hash(clip: Path, directory: Path) -> Path:
    """A copy with the same video and another content hash, so that nothing stored for it is found."""
    copy = directory / f"{next(_numbers)}.mp4"
    shutil.copyfile(clip, copy)
    with copy.open("ab") as file:
        file.write((16).to_bytes(4, "big") + b"free" + secrets.token_bytes(8))
    return copy


def count_frames(clip: Path) -> int:
    """Frames that decoding gives."""
    with av.open(str(clip)) as container:
        return sum(1 for _ in container.decode(video=0))
