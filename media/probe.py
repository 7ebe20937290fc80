"""What a video is, and whether it can be analysed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

from media.container import open_video
from media.integrity import check_integrity
from media.limits import MediaLimits
from media.recording_time import recording_time
from media.timeline import Timeline, scan_frames, scan_packets

__all__ = ["MediaLimits", "VideoProbe", "probe"]

_UNEVEN_SHARE = 0.02
"""How far, as a share of the usual interval, a frame may be off before the rate counts as variable."""


@dataclass(frozen=True, eq=False)
class VideoProbe:
    """Facts about a video.

    Args:
        container: FFmpeg's name of the container, such as "mov,mp4,m4a,3gp,3g2,mj2".
        codec: FFmpeg's name of the codec, such as "h264".
        width: In pixels of the decoded picture after rotation. Nothing is stretched where pixels are not
            square, so players show another shape: wider by the factor `timeline.pixel_aspect`.
        height: Likewise.
        rotation_degrees: Clockwise turn of the coded picture: 0, 90, 180 or 270.
        duration_seconds: From the first frame to the end of the last.
        frame_count: Frames that an analysis will see.
        average_fps: Frames a second between the first and the last. Without any time between them, as
            for a single frame, the average rate that the file states, else `frame_count` in
            `duration_seconds` (which counts 25 a second where nothing is known). Never 0.
        is_variable_frame_rate: Whether frames are spaced unevenly, beyond the rounding of their times.
        has_audio: Whether there is sound.
        timeline: Of every frame.
        recorded_at: When it was filmed, or at least written, where the file says so.
    """

    container: str
    codec: str
    width: int
    height: int
    rotation_degrees: int
    duration_seconds: float
    frame_count: int
    average_fps: float
    is_variable_frame_rate: bool
    has_audio: bool
    timeline: Timeline
    recorded_at: datetime | None


def probe(
    source: str | Path, limits: MediaLimits | None = None, *, on_packet: Callable[[], None] | None = None
) -> VideoProbe:
    """Look at a video without decoding more of it than needed.

    The file's structure is checked first (is it whole, what size does it claim), then its packets are read
    and its first frames decoded. Only where packets tell no usable times is every frame decoded.

    Args:
        source: Path, or http(s) URL made by this server.
        limits: What to refuse.
        on_packet: Called for each packet read.

    Raises:
        MediaError: If the file is no video, is incomplete, cannot be decoded or passes a limit.
        OSError: If `source` cannot be reached.
    """
    limits = limits or MediaLimits()
    check_integrity(source, limits)
    with open_video(source, max_pixels=limits.max_pixels, on_packet=on_packet) as video:
        limits.check_size(video.stream.width, video.stream.height)
        container, codec = video.container.format.name, video.stream.codec_context.codec.canonical_name
        has_audio = bool(video.container.streams.audio)
        stated_rate = video.stream.average_rate
        recorded_at = recording_time(video.container.metadata, video.stream.metadata)
        timeline = scan_packets(video, limits)
    if timeline is None:
        with open_video(source, max_pixels=limits.max_pixels, on_packet=on_packet) as video:
            timeline = scan_frames(video, limits)
    limits.check_size(timeline.width, timeline.height)
    return VideoProbe(
        container=container,
        codec=codec,
        width=timeline.width,
        height=timeline.height,
        rotation_degrees=timeline.rotation_degrees,
        duration_seconds=timeline.duration_seconds,
        frame_count=timeline.frame_count,
        average_fps=_average_fps(timeline, stated_rate),
        is_variable_frame_rate=_is_uneven(timeline),
        has_audio=has_audio,
        timeline=timeline,
        recorded_at=recorded_at,
    )


def _average_fps(timeline: Timeline, stated_rate: Fraction | None) -> float:
    span_ticks = int(timeline.pts[-1] - timeline.pts[0])
    if span_ticks:
        return float((timeline.frame_count - 1) / (span_ticks * timeline.time_base))
    return float(stated_rate) if stated_rate else timeline.frame_count / timeline.duration_seconds


def _is_uneven(timeline: Timeline) -> bool:
    intervals = np.diff(timeline.pts)
    if len(intervals) < 2:
        return False
    usual = float(np.median(intervals))
    return bool((np.abs(intervals - usual) > max(1.0, _UNEVEN_SHARE * usual)).any())
