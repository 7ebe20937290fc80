"""Carrying the sound of a video over into an MP4 that browsers play."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition

from media.clock import PresentationClock
from media.container import demux_stream, discard_all_but, open_container
from media.file_faults import FILE_FAULTS

# Codecs that Chromium, Firefox and Safari play from MP4; others are coded anew as AAC.
_COPIED_CODECS = frozenset({"aac", "mp3", "opus", "flac"})
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_BITS_PER_CHANNEL = 80_000
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


class SoundMode(Enum):
    """What becomes of the sound."""

    COPIED = "COPIED"
    """Copied where browsers can play it so, else coded."""
    CODED = "CODED"
    """Decoded and coded as AAC."""
    NONE = "NONE"
    """Left out."""


@contextmanager
def open_audio(
    source: str | Path,
    output: OutputContainer,
    mode: SoundMode,
    shift_seconds: Fraction,
    on_packet: Callable[[], None] | None = None,
) -> Iterator["AudioTrack | None"]:
    """The sound of `source` as a track of `output`, None without any.

    It is read beside the video, not with it: a container must give the very frames that were analysed, and
    a damaged one may not when other streams are read too.
    """
    if mode is SoundMode.NONE:
        yield None
        return
    with open_container(source) as container:
        stream = _choose_stream(container)
        if stream is None:
            yield None
            return
        discard_all_but(container, stream)
        yield AudioTrack(container, stream, output, mode, shift_seconds, on_packet)


def _choose_stream(container: InputContainer) -> AudioStream | None:
    """The stream a player would choose: the first marked as default, else the first."""
    streams = [
        stream for stream in container.streams.audio if stream.codec_context is not None and stream.rate
    ]
    marked = [stream for stream in streams if stream.disposition & Disposition.default]
    return next(iter(marked or streams), None)


class AudioTrack:
    """Writes one audio stream into `output`.

    Args:
        container: That `source` is read from.
        source: The stream.
        output: Not yet begun.
        mode: COPIED or CODED.
        shift_seconds: Added to every time.
        on_packet: Called for each packet read.
    """

    def __init__(
        self,
        container: InputContainer,
        source: AudioStream,
        output: OutputContainer,
        mode: SoundMode,
        shift_seconds: Fraction,
        on_packet: Callable[[], None] | None,
    ) -> None:
        self._packets = demux_stream(container, source, on_packet)
        self._source = source
        self._output = output
        self._time_base = source.time_base or Fraction(1, source.rate)
        self._shift = round(shift_seconds / self._time_base)
        self._clock = PresentationClock(0, float(1 / self._time_base))
        self._written_seconds = float("-inf")
        self._last_dts: int | None = None
        self._copies = mode is SoundMode.COPIED and _can_be_copied(source)
        if self._copies:
            self._target = output.add_stream_from_template(source)
        else:
            self._target = _add_encoder(output, source)
            # async=1 fills gaps with silence and drops overlaps, so that sound stays with the picture.
            self._resampler = av.AudioResampler(
                format=self._target.format,
                layout=self._target.layout,
                rate=self._target.rate,
                options={"async": "1"},
            )

    def write_until(self, seconds: float) -> None:
        """Take over what sounds before `seconds` of the output."""
        while self._written_seconds < seconds:
            packet = next(self._packets, None)
            if packet is None:
                self._written_seconds = float("inf")
            elif self._copies:
                self._copy(packet)
            else:
                self._transcode(packet)

    def finish(self) -> None:
        """Take over the rest."""
        self.write_until(float("inf"))
        if self._copies:
            return
        self._transcode(None)
        for part in self._resampler.resample(None):
            self._output.mux(self._target.encode(part))
        self._output.mux(self._target.encode(None))

    def _copy(self, packet: Packet) -> None:  # type: ignore[type-arg]
        if packet.pts is None:
            return
        time = self._time_of(packet.pts)
        if self._last_dts is not None and time <= self._last_dts:
            return
        self._last_dts = packet.pts = packet.dts = time
        packet.stream = self._target
        self._output.mux(packet)

    def _transcode(self, packet: Packet | None) -> None:  # type: ignore[type-arg]
        try:
            frames = self._source.decode(packet)
        except FILE_FAULTS:
            return
        for frame in frames:
            self._encode(frame)

    def _encode(self, frame: AudioFrame) -> None:
        if frame.pts is not None:
            frame.pts = self._time_of(frame.pts)
        try:
            resampled = self._resampler.resample(frame)
        except ValueError:  # the sound's format changed in mid-stream
            return
        for part in resampled:
            self._output.mux(self._target.encode(part))

    def _time_of(self, pts: int) -> int:
        time = self._clock.time_of(pts) + self._shift
        self._written_seconds = float(time * self._time_base)
        return time


def _can_be_copied(source: AudioStream) -> bool:
    codec = source.codec_context
    # AAC without a header of its own comes in ADTS frames, which MP4 does not take as they are.
    return codec.codec.canonical_name in _COPIED_CODECS and (codec.name != "aac" or bool(codec.extradata))


def _add_encoder(output: OutputContainer, source: AudioStream) -> AudioStream:
    rate = min(_AAC_RATES, key=lambda allowed: abs(allowed - source.rate))
    stream = output.add_stream("aac", rate=rate)
    stream.layout = _LAYOUTS.get(source.layout.nb_channels, "stereo")
    stream.bit_rate = _BITS_PER_CHANNEL * stream.layout.nb_channels
    return stream
