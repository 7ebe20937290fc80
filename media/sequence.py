"""Decoding a video from its start."""

from collections.abc import Callable, Iterator

from av.video.frame import VideoFrame

from media.clock import PresentationClock
from media.container import OpenVideo, VideoPacket, decode_packet, demux


class SequentialDecoder:
    """Every frame of a video from the start, with times that ascend.

    Args:
        video: Just opened.
        on_packet: Called with every packet before it is decoded.
    """

    def __init__(self, video: OpenVideo, on_packet: Callable[[VideoPacket], None] | None = None) -> None:
        self._video = video
        self._on_packet = on_packet
        self.step = 0
        """Ticks that one frame lasts, as far as the file tells."""
        self.clock: PresentationClock | None = None
        """None before the first frame."""

    def frames(self) -> Iterator[tuple[int, VideoFrame]]:
        """Times and frames in the order decoded."""
        for frame in decoded_frames(self._video, self._packets()):
            if self.clock is None:
                self.step = self.step or rated_step(self._video)
                self.clock = PresentationClock(self.step, self._video.ticks_per_second)
            yield self.clock.time_of(frame.pts), frame

    def _packets(self) -> Iterator[VideoPacket]:
        for packet in demux(self._video):
            self.step = self.step or packet.duration or 0
            if self._on_packet is not None:
                self._on_packet(packet)
            yield packet


def decoded_frames(video: OpenVideo, packets: Iterator[VideoPacket]) -> Iterator[VideoFrame]:
    """Decode `packets`, damaged ones left out, then what the decoder holds back."""
    for packet in packets:
        yield from decode_packet(video.stream, packet)
    yield from decode_packet(video.stream, None)


def rated_step(video: OpenVideo) -> int:
    """Ticks that one frame lasts by the stream's rate, 25 a second if unknown."""
    rate = video.stream.average_rate or video.stream.guessed_rate or 25
    return max(round(video.ticks_per_second / float(rate)), 1)
