"""What an analysis process finds out about a file before anything is detected in it."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from media.probe import MediaLimits, probe
from media.thumbnail import representative_image, thumbnail_jpeg
from media.timeline import TimelineKind, scan_timeline
from tasks.process.child import Report
from tasks.process.protocol import Message


def probe_video(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Facts of a video, its timeline and its thumbnail, or a MediaError for the person who uploaded it."""
    found = probe(values["source"], MediaLimits(**values["limits"]))
    facts = {
        "container": found.container,
        "codec": found.codec,
        "width": found.width,
        "height": found.height,
        "rotation_degrees": found.rotation_degrees,
        "duration_seconds": found.duration_seconds,
        "frame_count": found.frame_count,
        "average_fps": found.average_fps,
        "is_variable_frame_rate": found.is_variable_frame_rate,
        "has_audio": found.has_audio,
        "time_base": str(Fraction(found.timeline.time_base)),
        "timeline_kind": found.timeline.kind.value,
    }
    thumbnail = thumbnail_jpeg(representative_image(values["source"], found.timeline))
    return Message("result", facts, [found.timeline.to_bytes(), thumbnail])


def scan_video(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """The timeline of a video found the hard way, by decoding it."""
    timeline = scan_timeline(values["source"], TimelineKind(values["kind"]))
    facts = {"timeline_kind": timeline.kind.value, "frame_count": timeline.frame_count}
    return Message("result", facts, [timeline.to_bytes()])
