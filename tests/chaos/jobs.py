"""Real clips with what is asked of them, and copies of a clip whose detections nobody has stored."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.clips import with_new_hash

_VOID_BYTES = 8


@dataclass(frozen=True)
class Job:
    """An analysis of one clip. The undisturbed run does each once, chaos does them over and over."""

    name: str
    clip: str
    settings: dict[str, Any] = field(hash=False)


JOBS = (
    Job("faces", "short_hamilton_clip.mp4", {"mlModel": "yunet-2026may", "overlay": True}),
    Job("bottles", "bottle-detection.mp4", {"mlModel": "yolox-nano", "tracker": "OC_SORT", "frameStride": 2}),
    Job(
        "people",
        "one-by-one-person-detection.mp4",
        {
            "mlModel": "yolox-nano",
            "startSeconds": 12.5,
            "endSeconds": 70,
            "frameStride": 2,
            "labels": ["person"],
            "minConfidence": 0.4,
            "tracker": "BYTE_TRACK",
        },
    ),
    Job("speech", "nasa_13013.mp4", {"mlModel": "yolox-nano", "tracker": "SORT", "overlay": True}),
    Job("gesture", "gestures/walk.mkv", {"mlModel": "yunet-2023mar", "tracker": "NONE"}),
    Job(
        "people's faces",
        "one-by-one-person-detection.mp4",
        {"mlModel": "yunet-2026may", "tracker": "BOT_SORT"},
    ),
    Job(
        "actors", "short_hamilton_clip.mp4", {"mlModel": "yolox-nano", "minConfidence": 0.2, "overlay": True}
    ),
)

SHORT_JOBS = (
    Job("faces", "short_hamilton_clip.mp4", {"mlModel": "yunet-2026may", "overlay": True}),
    Job("gesture", "gestures/walk.mkv", {"mlModel": "yolox-nano", "tracker": "SORT"}),
)
"""Enough for a short run."""


def fresh_content(clip: Path, directory: Path) -> bytes:
    """The bytes of the clip with another hash: the same frames, but no stored detections fit."""
    if clip.suffix == ".mkv":
        # An EBML Void element: its one-byte id, its size, and anything.
        void = b"\xec" + bytes([0x80 | _VOID_BYTES]) + secrets.token_bytes(_VOID_BYTES)
        return clip.read_bytes() + void
    copy = with_new_hash(clip, directory)
    try:
        return copy.read_bytes()
    finally:
        copy.unlink()
