"""Decoding only what is wanted: frames that nobody wants and no other frame refers to are passed over."""

import bisect
from collections import deque
from collections.abc import Callable, Iterator

from av.video.frame import VideoFrame

from media.container import OpenVideo, VideoPacket
from media.errors import TimelineMismatchError
from media.random_access import shows_picture
from media.segments import SegmentPlan
from media.sequence import decoded_frames
from media.timeline import TimelineKind

_CODECS = frozenset({"h264"})
"""Whose decoder passes over non-reference pictures (nal_ref_idc 0) and nothing else when it is told so."""


def can_thin(video: OpenVideo, segment: SegmentPlan) -> bool:
    """Whether packets tell their frames before they are decoded, and the decoder can leave some out."""
    codec = video.stream.codec_context.codec.canonical_name
    return segment.kind == TimelineKind.PACKETS.value and codec in _CODECS


def thinned_frames(
    video: OpenVideo, packets: Iterator[VideoPacket], segment: SegmentPlan, keeps: Callable[[int], bool]
) -> Iterator[tuple[int, int, VideoFrame]]:
    """Index, time and frame of those of `segment` for whose index `keeps` is true.

    They are those that decoding everything gives, bit by bit: no frame refers to one that is passed over.

    Raises:
        TimelineMismatchError: If the packets are not those of the segment, or give other frames.
    """
    thinner = _Thinner(video, segment, keeps)
    expected = (index for index in _indices(segment) if keeps(index))
    for frame in decoded_frames(video, thinner.packets(packets)):
        pts = frame.pts
        index = None if pts is None else thinner.kept.pop(pts, None)
        if pts is None or index is None:
            continue
        if index != next(expected, None):
            raise TimelineMismatchError(f"Frame {index} does not come in its turn")
        yield index, pts, frame
    missing = next(expected, None)
    if thinner.frame_count != segment.frame_count or missing is not None:
        raise TimelineMismatchError(
            f"Segment {segment.number} has {thinner.frame_count} frames of {segment.frame_count}; "
            f"frame {missing} is missing"
        )


def _indices(segment: SegmentPlan) -> range:
    return range(segment.first_frame_index, segment.first_frame_index + segment.frame_count)


class _Thinner:
    """Tells the decoder before each packet whether its picture is wanted.

    The index of a frame is how many frames of the segment are shown before it. It is known as soon as a
    packet is read that is decoded later than the frame is shown: none that follows is shown earlier.
    """

    def __init__(self, video: OpenVideo, segment: SegmentPlan, keeps: Callable[[int], bool]) -> None:
        self._context = video.stream.codec_context
        self._codec = self._context.codec.canonical_name
        self._segment = segment
        self._keeps = keeps
        self._times: list[int] = []
        self._horizon: int | None = None
        self.kept: dict[int, int] = {}
        """Time → index of the frames that the decoder has got but not given yet."""

    @property
    def frame_count(self) -> int:
        """Frames of the segment met so far."""
        return len(self._times)

    def packets(self, packets: Iterator[VideoPacket]) -> Iterator[VideoPacket]:
        """The same packets; while one is out, the decoder is set for it."""
        waiting: deque[VideoPacket] = deque()
        for packet in packets:
            self._note(packet)
            waiting.append(packet)
            while waiting and self._is_placed(waiting[0]):
                yield self._prepared(waiting.popleft())
        while waiting:
            yield self._prepared(waiting.popleft())

    def _note(self, packet: VideoPacket) -> None:
        if self._is_inside(packet) and packet.pts is not None:
            if self._horizon is not None and packet.pts < self._horizon:
                raise TimelineMismatchError(f"The frame at {packet.pts} is stored after {self._horizon}")
            bisect.insort(self._times, packet.pts)
        if packet.dts is not None:
            self._horizon = packet.dts if self._horizon is None else max(packet.dts, self._horizon)

    def _is_placed(self, packet: VideoPacket) -> bool:
        return self._horizon is not None and packet.pts is not None and packet.pts < self._horizon

    def _is_inside(self, packet: VideoPacket) -> bool:
        segment, pts = self._segment, packet.pts
        inside = (
            pts is not None
            and segment.start_pts <= pts
            and (segment.end_pts is None or pts < segment.end_pts)
        )
        return inside and not packet.is_discard and shows_picture(self._codec, packet)

    def _prepared(self, packet: VideoPacket) -> VideoPacket:
        is_wanted = False
        if self._is_inside(packet) and packet.pts is not None:
            index = self._segment.first_frame_index + bisect.bisect_left(self._times, packet.pts)
            is_wanted = self._keeps(index)
            if is_wanted:
                self.kept[packet.pts] = index
        self._context.skip_frame = "DEFAULT" if is_wanted else "NONREF"
        return packet
