"""When each frame of a video is shown, and where decoding may start."""

import io
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from media.container import OpenVideo, VideoPacket, decode_packet, demux, open_video
from media.errors import UndecodableError
from media.limits import MediaLimits
from media.orientation import Orientation, orientation_of
from media.random_access import random_access_test, shows_picture
from media.sequence import SequentialDecoder, rated_step

CHECKED_FRAMES = 8
"""Frames decoded to see that packets and frames agree."""

# Formats without presentation times of their own, at a constant rate.
_COUNTED_FORMATS = frozenset({"avi", "h264", "hevc", "m4v", "mpegvideo", "obu", "dv", "amv"})


class TimelineKind(Enum):
    """How a timeline was found, from the cheapest to the surest."""

    PACKETS = "PACKETS"
    """Read from the container."""
    FRAMES = "FRAMES"
    """Every frame was decoded once."""
    SEQUENTIAL = "SEQUENTIAL"
    """Every frame was decoded once, and only decoding from the start gives the same frames again."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """Every frame of a video in presentation order.

    Args:
        pts: int64 (frame_count,), ascending, in ticks of `time_base`.
        key_frame: bool (frame_count,); decoding may start at these frames. The first always counts as one.
        time_base: Seconds a tick.
        kind: How it was found.
        width: Of the first frame as shown, in pixels; later frames of another size are scaled to it.
        height: Likewise.
        rotation_degrees: Clockwise turn from the first coded picture to the shown one: 0, 90, 180 or 270.
        last_duration: Ticks that the last frame is shown.
        counted_step: Ticks between frames where the file stores no usable times; frame i is then shown at
            i * counted_step. None where the file's own times hold.
        pixel_aspect: Width over height of one pixel as shown, 1 where the file does not tell.
    """

    pts: NDArray[np.int64]
    key_frame: NDArray[np.bool_]
    time_base: Fraction
    kind: TimelineKind
    width: int
    height: int
    rotation_degrees: int
    last_duration: int
    counted_step: int | None = None
    pixel_aspect: Fraction = Fraction(1)

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return len(self.pts)

    @property
    def timestamps_seconds(self) -> NDArray[np.float64]:
        """float64 (frame_count,), each the same as PyAV's `frame.time`."""
        times: NDArray[np.float64] = self.pts.astype(np.float64) * self.time_base.numerator
        times /= self.time_base.denominator
        return times

    @property
    def duration_seconds(self) -> float:
        """From the first frame to the end of the last."""
        return float((int(self.pts[-1] - self.pts[0]) + self.last_duration) * self.time_base)

    def to_bytes(self) -> bytes:
        """Serialise as an npz archive."""
        buffer = io.BytesIO()
        fields = [
            self.time_base.numerator,
            self.time_base.denominator,
            list(TimelineKind).index(self.kind),
            self.width,
            self.height,
            self.rotation_degrees,
            self.last_duration,
            self.counted_step or 0,
            self.pixel_aspect.numerator,
            self.pixel_aspect.denominator,
        ]
        deltas = np.diff(self.pts, prepend=np.int64(0))
        np.savez_compressed(
            buffer, deltas=deltas, key_frame=np.packbits(self.key_frame), fields=np.array(fields)
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Timeline":
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            pts = np.cumsum(archive["deltas"], dtype=np.int64)
            key_frame = np.unpackbits(archive["key_frame"], count=len(pts)).astype(np.bool_)
            fields = [int(value) for value in archive["fields"]]
        numerator, denominator, kind, width, height, rotation_degrees, last_duration, step, *aspect = fields
        return cls(
            pts,
            key_frame,
            Fraction(numerator, denominator),
            list(TimelineKind)[kind],
            width,
            height,
            rotation_degrees,
            last_duration,
            step or None,
            Fraction(*aspect),
        )


def timestamp_seconds(pts: int, time_base: Fraction) -> float:
    """Presentation time in seconds, by the same arithmetic as PyAV's `frame.time`."""
    return float(pts) * time_base.numerator / time_base.denominator


def scan_timeline(
    source: str | Path,
    kind: TimelineKind = TimelineKind.PACKETS,
    *,
    limits: MediaLimits | None = None,
    thread_count: int = 1,
    on_packet: Callable[[], None] | None = None,
) -> Timeline:
    """Find the timeline of `source`, at least as surely as `kind`.

    PACKETS falls back to FRAMES, and FRAMES to SEQUENTIAL, where the cheaper way shows itself wrong.
    `on_packet` is called for each packet read.

    Raises:
        MediaError: If the file is no video, cannot be decoded or passes `limits`.
    """
    limits = limits or MediaLimits()
    opened = partial(
        open_video, source, thread_count=thread_count, max_pixels=limits.max_pixels, on_packet=on_packet
    )
    if kind is TimelineKind.PACKETS:
        with opened() as video:
            timeline = scan_packets(video, limits)
        if timeline is not None:
            return timeline
    with opened() as video:
        return scan_frames(video, limits, sequential=kind is TimelineKind.SEQUENTIAL)


class _Guard:
    """Checks the limits while a file is read, so that an endless one ends early."""

    def __init__(self, limits: MediaLimits, time_base: Fraction) -> None:
        self._limits = limits
        self._time_base = time_base
        self._earliest: int | None = None
        self._count = 0

    def __call__(self, pts: int | None) -> None:
        self._count += 1
        self._limits.check_frame_count(self._count)
        if pts is not None:
            self._earliest = pts if self._earliest is None else min(self._earliest, pts)
            self._limits.check_duration(timestamp_seconds(pts - self._earliest, self._time_base))


def scan_packets(video: OpenVideo, limits: MediaLimits) -> Timeline | None:
    """The timeline by demuxing alone, or None where packets do not tell it.

    Packets are trusted when each has its own time, decoding can start at the first, hidden ones (of an edit
    list) lie at the beginning only, and the first frames decoded have the times foretold.
    """
    stream = video.stream
    may_start_at = random_access_test(stream)
    codec = stream.codec_context.codec.canonical_name
    guard = _Guard(limits, video.time_base)
    times, durations, keys = array("q"), array("q"), bytearray()
    head: list[VideoFrame] = []
    first_pts: int | None = None
    for number, packet in enumerate(demux(video)):
        if len(head) < CHECKED_FRAMES:
            head += decode_packet(stream, packet)
        if not shows_picture(codec, packet):
            continue
        pts = packet.pts
        if pts is None or (packet.is_discard and times) or (number == 0 and not packet.is_keyframe):
            return None
        first_pts = pts if first_pts is None else first_pts
        guard(pts)
        if not packet.is_discard:
            times.append(pts)
            durations.append(packet.duration or 0)
            keys.append(may_start_at(packet))
    if len(head) < CHECKED_FRAMES:
        head += decode_packet(stream, None)
    if not head or first_pts is None or not times:
        return None
    order = np.argsort(np.frombuffer(times, np.int64), kind="stable")
    pts_in_order = np.frombuffer(times, np.int64)[order]
    if pts_in_order[0] < first_pts or (np.diff(pts_in_order) <= 0).any() or not _foretold(head, pts_in_order):
        return None
    key_frame = np.frombuffer(keys, np.uint8).astype(np.bool_)[order]
    return _timeline(video, TimelineKind.PACKETS, pts_in_order, key_frame, head[0], durations[int(order[-1])])


def _foretold(head: list[VideoFrame], pts: NDArray[np.int64]) -> bool:
    checked = min(CHECKED_FRAMES, max(len(pts), len(head)))
    expected: list[int] = pts[:checked].tolist()
    return [frame.pts for frame in head[:checked]] == expected


def _timeline(
    video: OpenVideo,
    kind: TimelineKind,
    pts: NDArray[np.int64],
    key_frame: NDArray[np.bool_],
    first: VideoFrame,
    last_duration: int,
    counted_step: int | None = None,
) -> Timeline:
    orientation = orientation_of(first)
    if last_duration <= 0:
        last_duration = round(float(np.median(np.diff(pts)))) if len(pts) > 1 else rated_step(video)
    key_frame[0] = True
    return Timeline(
        pts,
        key_frame,
        video.time_base,
        kind,
        *orientation.display_size(first.width, first.height),
        orientation.rotation_degrees,
        last_duration,
        counted_step,
        _pixel_aspect(video, orientation),
    )


def _pixel_aspect(video: OpenVideo, orientation: Orientation) -> Fraction:
    stream = video.stream
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    if aspect is None or aspect <= 0:
        return Fraction(1)
    return 1 / aspect if orientation.transposed else aspect


def scan_frames(video: OpenVideo, limits: MediaLimits, *, sequential: bool = False) -> Timeline:
    """The timeline by decoding every frame.

    Raises:
        UndecodableError: If no frame can be decoded.
        MediaLimitError: If a limit is passed on the way.
    """
    stream = video.stream
    may_start_at = random_access_test(stream)
    guard = _Guard(limits, video.time_base)
    key_times: set[int] = set()

    def note_key_frame(packet: VideoPacket) -> None:
        if packet.pts is not None and may_start_at(packet):
            key_times.add(packet.pts)

    decoder = SequentialDecoder(video, note_key_frame)
    times = array("q")
    first: VideoFrame | None = None
    untimed = last_duration = 0
    for time, frame in decoder.frames():
        first = first or frame
        guard(time)
        times.append(time)
        untimed += frame.pts is None
        last_duration = frame.duration
    clock = decoder.clock
    if first is None or clock is None:
        raise UndecodableError(
            "No picture of the video can be decoded: it is damaged, protected or in a variant that this "
            "server does not know. Convert it to MP4 (H.264) first."
        )
    pts = np.frombuffer(times, np.int64)
    counted_step = None
    if clock.repaired and (video.container.format.name in _COUNTED_FORMATS or untimed == len(pts)):
        counted_step = decoder.step
        pts = np.arange(len(pts), dtype=np.int64) * decoder.step
    if sequential or clock.repaired or clock.repeated:
        key_frame = np.zeros(len(pts), np.bool_)
        return _timeline(video, TimelineKind.SEQUENTIAL, pts, key_frame, first, last_duration, counted_step)
    key_frame = np.isin(pts, np.fromiter(key_times, np.int64, len(key_times)))
    return _timeline(video, TimelineKind.FRAMES, pts, key_frame, first, last_duration)
