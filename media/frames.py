"""Decoding one segment."""

import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from media.container import OpenVideo, VideoPacket, demux, open_video
from media.errors import TimelineMismatchError
from media.file_faults import is_file_fault
from media.picture import PictureConverter
from media.random_access import shows_picture
from media.segments import SegmentPlan
from media.sequence import SequentialDecoder, decoded_frames
from media.timeline import TimelineKind, timestamp_seconds

SEEK_LEAD_SECONDS = (0.0, 1.0, 5.0, 30.0)
"""How much earlier to look, one after the other, where a container's seek lands behind its key frame."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame as shown.

    Args:
        index: Position in the whole video, from 0.
        pts: Presentation time in ticks of the stream's time base.
        timestamp_seconds: The same in seconds.
        image: BGR uint8 (height, width, 3), contiguous, upright.
    """

    index: int
    pts: int
    timestamp_seconds: float
    image: NDArray[np.uint8]


def read_frames(
    source: str | Path,
    segment: SegmentPlan,
    time_base: Fraction,
    *,
    frame_stride: int = 1,
    thread_count: int = 1,
    on_packet: Callable[[], None] | None = None,
) -> Generator[Frame, None, None]:
    """Frames of `segment` in presentation order.

    Args:
        source: Path, or http(s) URL made by this server.
        segment: From `plan_segments`.
        time_base: Of the timeline it was planned from.
        frame_stride: Yield only frames whose index is a multiple of it; the others are decoded but not
            converted.
        thread_count: Threads of the decoder.
        on_packet: Called for each packet read, also before the first frame of the segment.

    Raises:
        TimelineMismatchError: If the segment does not hold exactly `segment.frame_count` frames, or their
            times do not ascend.
        MediaError: If the file cannot be opened as a video.
    """
    with open_video(source, thread_count=thread_count, on_packet=on_packet) as video:
        if video.stream.time_base != time_base:
            raise TimelineMismatchError(f"The time base is {video.stream.time_base}, not {time_base}")
        converter = PictureConverter(segment.width, segment.height)
        count = 0
        previous_pts = segment.start_pts
        for pts, frame in _timed_frames(video, segment):
            if pts < segment.start_pts:
                continue
            if segment.end_pts is not None and pts >= segment.end_pts:
                break
            if pts < previous_pts:
                raise TimelineMismatchError(f"A frame at {pts} comes after one at {previous_pts}")
            previous_pts = pts
            index = segment.first_frame_index + count
            count += 1
            if count > segment.frame_count:
                break
            if index % frame_stride == 0:
                yield Frame(index, pts, timestamp_seconds(pts, time_base), converter.to_bgr(frame))
    if count != segment.frame_count:
        raise TimelineMismatchError(
            f"Segment {segment.number} has {count if count < segment.frame_count else 'more'} frames, "
            f"not {segment.frame_count}"
        )


def _timed_frames(video: OpenVideo, segment: SegmentPlan) -> Iterator[tuple[int, VideoFrame]]:
    if segment.counted_step is not None:
        for number, frame in enumerate(decoded_frames(video, demux(video))):
            yield number * segment.counted_step, frame
        return
    if segment.kind == TimelineKind.SEQUENTIAL.value:
        yield from SequentialDecoder(video).frames()
        return
    packets = demux(video) if segment.seek_pts is None else _packets_from(video, segment.seek_pts)
    if segment.kind == TimelineKind.PACKETS.value:
        packets = _needed(packets, segment, video.stream.codec_context.codec.canonical_name)
    for frame in decoded_frames(video, packets):
        if frame.pts is None:
            raise TimelineMismatchError("A frame has no presentation time")
        yield frame.pts, frame


def _needed(packets: Iterator[VideoPacket], segment: SegmentPlan, codec: str) -> Iterator[VideoPacket]:
    """Packets up to the last one of the segment, so that no frame is decoded only to see that it is over."""
    end_pts = sys.maxsize if segment.end_pts is None else segment.end_pts
    missing = segment.frame_count
    for packet in packets:
        yield packet
        inside = packet.pts is not None and segment.start_pts <= packet.pts < end_pts
        if inside and not packet.is_discard and shows_picture(codec, packet):
            missing -= 1
            if not missing:
                return


def _packets_from(video: OpenVideo, key_pts: int) -> Iterator[VideoPacket]:
    """Packets from the key frame at `key_pts` on.

    Seeking is by storage time in some containers and by guess in others, so the key frame is looked for from
    ever earlier places until it is met.
    """
    for lead_seconds in SEEK_LEAD_SECONDS:
        target = key_pts - int(lead_seconds * video.ticks_per_second)
        try:
            video.container.seek(target, stream=video.stream, backward=True)
        except av.error.FFmpegError as error:
            if not is_file_fault(error, video.container.name):
                raise
            continue
        packets = demux(video)
        for packet in packets:
            if packet.is_keyframe and packet.pts is not None and packet.pts >= key_pts:
                if packet.pts == key_pts:
                    yield packet
                    yield from packets
                    return
                break
    raise TimelineMismatchError(f"The key frame at {key_pts} cannot be found by seeking")
