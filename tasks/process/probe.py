"""What an analysis process finds out about a file before anything is detected in it."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from media.probe import MediaLimits, probe
from media.thumbnail import representative_image, thumbnail_jpeg
from media.timeline import TimelineKind, scan_timeline
from tasks.process.protocol import Message
from tasks.process.report import Report


def probe_video(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Facts of a video, its timeline and its thumbnail, or a MediaError for the person who uploaded it."""
    on_packet = report.counter("packets_read")
    found = probe(values["source"], MediaLimits(**values["limits"]), on_packet=on_packet)
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
        "recorded_at": None if found.recorded_at is None else found.recorded_at.isoformat(),
    }
    image = representative_image(values["source"], found.timeline, on_packet=on_packet)
    return Message("result", facts, [found.timeline.to_bytes(), thumbnail_jpeg(image)])


def scan_video(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """The timeline of a video found the hard way, by decoding it."""
    on_packet = report.counter("packets_read")
    timeline = scan_timeline(values["source"], TimelineKind(values["kind"]), on_packet=on_packet)
    facts = {"timeline_kind": timeline.kind.value, "frame_count": timeline.frame_count}
    return Message("result", facts, [timeline.to_bytes()])
