"""Writing a video anew with boxes drawn into it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from media.audio import SoundMode, open_audio
from media.container import OpenVideo, demux, open_video
from media.drawing import OverlayBox
from media.errors import TimelineMismatchError
from media.file_faults import FILE_FAULTS
from media.planes import PlanarPictures, even
from media.sequence import decoded_frames
from media.timeline import Timeline, scan_timeline

__all__ = ["OverlayBox", "OverlayVideo", "write_overlay"]

KEPT_START_SECONDS = 10.0
"""A video that starts later than this, as broadcast recordings do, is moved to start at 0."""
KEY_FRAME_SECONDS = 2.0
_FINEST_TICKS = 1_000_000
_COARSEST_TICKS = 10_000
_MOST_TICKS_A_FRAME = 2**31 - 1

_RGB, _BT601 = 0, 6  # FFmpeg's AVCOL_SPC_*


@dataclass(frozen=True)
class OverlayVideo:
    """What was written.

    Args:
        frame_count: Frames, as many as the source has.
        shift_seconds: Added to every time of the source: 0 unless it starts before 0 or later than
            `KEPT_START_SECONDS`.
    """

    frame_count: int
    shift_seconds: float


_ENCODER_THREADS = 1
"""Always as many: what x264 writes depends on it, and must not depend on the machine that drew it."""


def write_overlay(
    source: str | Path,
    destination: str | Path,
    boxes_of: Callable[[int], Sequence[OverlayBox]],
    *,
    timeline: Timeline | None = None,
    on_progress: Callable[[int], None] | None = None,
    on_packet: Callable[[], None] | None = None,
    thread_count: int = 1,
    preset: str = "veryfast",
    crf: int = 23,
) -> OverlayVideo:
    """Write `source` with boxes drawn in as an MP4 (H.264, yuv420p, index first) that browsers play.

    Frames, their times and length are the source's; sound is copied if browsers play it from MP4, else coded
    as AAC. Odd sizes gain a row or column that repeats the last. Pixels keep their
    shape: the file says it where it is not square. Nothing is left behind on an error.

    Args:
        source: Path, or http(s) URL made by this server.
        destination: Path of the file to write.
        boxes_of: Gives the boxes of a frame by its index.
        timeline: Of the source; scanned if not given.
        on_progress: Called with the number of frames written, after each.
        on_packet: Called for each packet of pictures or sound read.
        thread_count: Threads of the decoder.
        preset: Of x264; slower ones make smaller files.
        crf: Quality of x264: 18 is hard to tell from the source, 28 is small.

    Raises:
        TimelineMismatchError: If `source` does not hold the frames of `timeline`.
        MediaError: If `source` cannot be read as a video.
        OSError: If `source` cannot be reached or `destination` not be written.
    """
    timeline = timeline or scan_timeline(source, on_packet=on_packet)
    encoding = _Encoding(thread_count, preset, crf)
    progress = _Progress(on_progress, on_packet)
    for mode in SoundMode:
        try:
            return _write(source, Path(destination), boxes_of, timeline, progress, encoding, mode)
        except FILE_FAULTS:  # damaged sound shows when the muxer refuses it; rather silence than no video
            if mode is SoundMode.NONE:
                raise
    raise AssertionError("the last mode returns or raises")


@dataclass(frozen=True)
class _Encoding:
    thread_count: int
    preset: str
    crf: int


class _Progress:
    """Reports frames written, never fewer than before."""

    def __init__(self, report: Callable[[int], None] | None, on_packet: Callable[[], None] | None) -> None:
        self._report = report
        self.on_packet = on_packet
        self._most = 0

    def __call__(self, frame_count: int) -> None:
        if self._report is not None and frame_count > self._most:
            self._most = frame_count
            self._report(frame_count)


def _write(
    source: str | Path,
    destination: Path,
    boxes_of: Callable[[int], Sequence[OverlayBox]],
    timeline: Timeline,
    progress: _Progress,
    encoding: _Encoding,
    mode: SoundMode,
) -> OverlayVideo:
    muxer_options = _muxer_options(timeline)
    try:
        with (
            open_video(source, thread_count=encoding.thread_count, on_packet=progress.on_packet) as video,
            av.open(str(destination), "w", format="mp4", container_options=muxer_options) as output,
        ):
            shift = _shift_seconds(video, timeline)
            writer = _Writer(output, video.stream, timeline, shift, encoding)
            with open_audio(source, output, mode, shift, progress.on_packet) as audio:
                for frame in decoded_frames(video, demux(video)):
                    if audio is not None:
                        audio.write_until(writer.next_seconds())
                    writer.write(frame, boxes_of(writer.index))
                    progress(writer.index)
                writer.finish()
                if audio is not None:
                    audio.finish()
    except BaseException:
        destination.unlink(missing_ok=True)
        raise
    return OverlayVideo(timeline.frame_count, float(shift))


def _shift_seconds(video: OpenVideo, timeline: Timeline) -> Fraction:
    start = int(timeline.pts[0]) * timeline.time_base
    container_start = Fraction(video.container.start_time or 0, av.time_base)
    earliest = min(start, container_start) if container_start > 0 else start
    if start < 0:
        return -start
    return -earliest if earliest > KEPT_START_SECONDS else Fraction(0)


def _output_time_base(timeline: Timeline) -> Fraction:
    """Fine enough to set apart frames that share a time, else the source's own."""
    ticks = timeline.time_base.denominator
    ticks = _FINEST_TICKS if ticks > _FINEST_TICKS else ticks * -(-_COARSEST_TICKS // ticks)
    longest = int(np.diff(timeline.pts, append=timeline.pts[-1] + timeline.last_duration).max())
    if longest * timeline.time_base * ticks > _MOST_TICKS_A_FRAME:
        ticks = _COARSEST_TICKS
    return Fraction(1, ticks)


def _muxer_options(timeline: Timeline) -> dict[str, str]:
    ticks = str(_output_time_base(timeline).denominator)
    return {"movflags": "+faststart", "movie_timescale": ticks, "video_track_timescale": ticks}


class _Writer:
    """Draws, encodes and muxes the frames of one video, in order.

    Args:
        output: Not yet begun.
        source: The stream that frames come from.
        timeline: Of the source.
        shift: Seconds added to every time.
        encoding: How to encode.
    """

    def __init__(
        self,
        output: OutputContainer,
        source: VideoStream,
        timeline: Timeline,
        shift: Fraction,
        encoding: _Encoding,
    ) -> None:
        self._output = output
        self._stream = _add_video_stream(output, source, timeline, encoding)
        self._pictures = PlanarPictures(timeline.width, timeline.height, _output_colorspace(source))
        self._time_base = _output_time_base(timeline)
        self._times, self._durations = _output_times(timeline, self._time_base, shift)
        self._muxed = 0
        self.index = 0
        """Of the next frame."""

    def next_seconds(self) -> float:
        """When the next frame is shown; after the last, when that was."""
        return float(self._times[min(self.index, len(self._times) - 1)] * self._time_base)

    def write(self, frame: VideoFrame, boxes: Sequence[OverlayBox]) -> None:
        """Encode one frame with `boxes` drawn in."""
        picture = self._pictures.prepare(frame, boxes)
        if self.index == len(self._times):
            raise TimelineMismatchError(f"The video has more than {self.index} frames")
        picture.pts = self._times[self.index]
        picture.time_base = self._time_base
        self.index += 1
        self._mux(picture)

    def finish(self) -> None:
        """Write what the encoder holds back."""
        if self.index != len(self._times):
            raise TimelineMismatchError(f"The video has {self.index} frames, not {len(self._times)}")
        self._mux(None)

    def _mux(self, picture: VideoFrame | None) -> None:
        for packet in self._stream.encode(picture):
            packet.duration = self._durations[self._muxed]
            self._muxed += 1
            self._output.mux(packet)


def _output_times(timeline: Timeline, time_base: Fraction, shift: Fraction) -> tuple[list[int], list[int]]:
    """Times and durations of every frame in ticks of `time_base`, each time later than the one before."""
    factor = timeline.time_base / time_base
    start = int(timeline.pts[0])
    ticks = (timeline.pts - start) * factor.numerator
    times = (2 * ticks + factor.denominator) // (2 * factor.denominator)
    positions = np.arange(len(times))
    times = np.maximum.accumulate(times - positions) + positions
    times += round(start * factor + shift / time_base)
    end = times[-1] + max(round(timeline.last_duration * factor), 1)
    return times.tolist(), np.diff(times, append=end).tolist()


def _add_video_stream(
    output: OutputContainer, source: VideoStream, timeline: Timeline, encoding: _Encoding
) -> VideoStream:
    seconds = timeline.duration_seconds
    rate = Fraction(timeline.frame_count / seconds if seconds > 0 else 25).limit_denominator(1001)
    rate = min(max(rate, Fraction(1)), Fraction(1000))
    stream = output.add_stream("libx264", rate=rate)
    encoder = stream.codec_context
    encoder.width, encoder.height = even(timeline.width), even(timeline.height)
    encoder.pix_fmt = "yuv420p"
    if timeline.pixel_aspect != 1:
        encoder.sample_aspect_ratio = timeline.pixel_aspect
    encoder.time_base = _output_time_base(timeline)
    encoder.gop_size = max(round(rate * Fraction(KEY_FRAME_SECONDS)), 1)
    encoder.thread_count = _ENCODER_THREADS
    encoder.colorspace = _output_colorspace(source)
    encoder.color_range = ColorRange.MPEG.value
    encoder.color_primaries = source.codec_context.color_primaries
    encoder.color_trc = source.codec_context.color_trc
    # Without B-frames times need no edit list, which some players get wrong.
    encoder.options = {"preset": encoding.preset, "crf": str(encoding.crf), "bf": "0"}
    return stream


def _output_colorspace(source: VideoStream) -> int:
    """AVCOL_SPC_* of the output: the source's matrix; BT.601 for RGB, which has none."""
    colorspace = source.codec_context.colorspace
    return _BT601 if colorspace == _RGB else colorspace
