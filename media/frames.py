"""Decoding one segment."""

import contextlib
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
from media.thinning import can_thin, thinned_frames
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


class DecodedFrame:
    """A frame whose colours are converted only when its image is asked for.

    Args:
        index: Position in the whole video, from 0.
        pts: Presentation time in ticks of the stream's time base.
        timestamp_seconds: The same in seconds.
        frame: As the decoder gave it.
        converter: Of the stream.
    """

    def __init__(
        self, index: int, pts: int, timestamp_seconds: float, frame: VideoFrame, converter: PictureConverter
    ) -> None:
        self.index = index
        self.pts = pts
        self.timestamp_seconds = timestamp_seconds
        self._frame = frame
        self._converter = converter

    def image(self) -> NDArray[np.uint8]:
        """BGR uint8 (height, width, 3), contiguous, upright, the caller's own; converted at each call."""
        return self._converter.to_bgr(self._frame)

    def luma(self, width: int, height: int) -> NDArray[np.uint8]:
        """Its brightness, uint8 (height, width), upright, averaged down to that size."""
        return self._converter.to_luma(self._frame, width, height)


def read_frames(
    source: str | Path,
    segment: SegmentPlan,
    time_base: Fraction,
    *,
    frame_stride: int = 1,
    thread_count: int = 1,
    on_packet: Callable[[], None] | None = None,
    wanted: Callable[[int], bool] | None = None,
) -> Generator[Frame, None, None]:
    """As `decode_frames`, each with its image."""
    frames = decode_frames(
        source,
        segment,
        time_base,
        frame_stride=frame_stride,
        thread_count=thread_count,
        on_packet=on_packet,
        wanted=wanted,
    )
    with contextlib.closing(frames):
        for frame in frames:
            yield Frame(frame.index, frame.pts, frame.timestamp_seconds, frame.image())


def decode_frames(
    source: str | Path,
    segment: SegmentPlan,
    time_base: Fraction,
    *,
    frame_stride: int = 1,
    thread_count: int = 1,
    on_packet: Callable[[], None] | None = None,
    wanted: Callable[[int], bool] | None = None,
) -> Generator[DecodedFrame, None, None]:
    """Frames of `segment` in presentation order.

    Args:
        source: Path, or http(s) URL made by this server.
        segment: From `plan_segments`.
        time_base: Of the timeline it was planned from.
        frame_stride: Yield only frames whose index is a multiple of it; of the others only those are decoded
            that a decoder may need for them.
        thread_count: Threads of the decoder.
        on_packet: Called for each packet read, also before the first frame of the segment.
        wanted: Of frames that the stride keeps, yield only those for whose index this is true.

    Raises:
        TimelineMismatchError: If the segment does not hold exactly `segment.frame_count` frames, or their
            times do not ascend.
        MediaError: If the file cannot be opened as a video.
    """
    with open_video(source, thread_count=thread_count, on_packet=on_packet) as video:
        if video.stream.time_base != time_base:
            raise TimelineMismatchError(f"The time base is {video.stream.time_base}, not {time_base}")
        converter = PictureConverter(segment.width, segment.height)

        def keeps(index: int) -> bool:
            return index % frame_stride == 0 and (wanted is None or wanted(index))

        leaves_out = frame_stride > 1 or wanted is not None
        kept = (
            thinned_frames(video, _packets(video, segment), segment, keeps)
            if leaves_out and can_thin(video, segment)
            else _kept_frames(video, segment, keeps)
        )
        for index, pts, frame in kept:
            yield DecodedFrame(index, pts, timestamp_seconds(pts, time_base), frame, converter)


def _kept_frames(
    video: OpenVideo, segment: SegmentPlan, keeps: Callable[[int], bool]
) -> Iterator[tuple[int, int, VideoFrame]]:
    """Index, time and frame of what is kept; everything is decoded."""
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
        if keeps(index):
            yield index, pts, frame
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
    for frame in decoded_frames(video, _packets(video, segment)):
        if frame.pts is None:
            raise TimelineMismatchError("A frame has no presentation time")
        yield frame.pts, frame


def _packets(video: OpenVideo, segment: SegmentPlan) -> Iterator[VideoPacket]:
    packets = demux(video) if segment.seek_pts is None else _packets_from(video, segment.seek_pts)
    if segment.kind == TimelineKind.PACKETS.value:
        packets = _needed(packets, segment, video.stream.codec_context.codec.canonical_name)
    return packets


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
