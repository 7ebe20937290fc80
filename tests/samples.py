"""Small special clips, made with PyAV: what real uploads hold and a folder of clips seldom does.

Every maker writes one file and returns its path. Pictures move and differ from frame to frame, so that a
frame lost, doubled or decoded from the wrong place shows in its pixels.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND = 30
SAMPLE_RATE = 48_000

# FFmpeg's AVCOL_SPC_* and AVCOL_RANGE_*
BT709, BT601 = 1, 6
LIMITED_RANGE, FULL_RANGE = 1, 2


def frame_image(index: int, width: int, height: int) -> NDArray[np.uint8]:
    """An RGB picture (height, width, 3) of coloured gradients, a moving square and a bar code of `index`."""
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    image = np.empty((height, width, 3), np.uint8)
    image[:, :, 0] = (x * 255 / max(width - 1, 1) + index * 3) % 256
    image[:, :, 1] = (y * 255 / max(height - 1, 1) + index * 2) % 256
    image[:, :, 2] = ((x + y) * 2 + index * 5) % 256
    side = max(min(width, height) // 4, 1)
    left, top = (index * 5) % max(width - side, 1), (index * 3) % max(height - side, 1)
    image[top : top + side, left : left + side] = (255, 230, 40)
    bit_width = max(width // 16, 1)
    for bit in range(min(16, width // bit_width)):
        level = 255 if index >> bit & 1 else 0
        image[: max(height // 12, 1), bit * bit_width : (bit + 1) * bit_width] = level
    return image


@dataclass(frozen=True)
class ClipOptions:
    """How `make_video` encodes."""

    frame_count: int = 45
    width: int = 128
    height: int = 96
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    gop: int = 12
    codec_options: dict[str, str] = field(default_factory=lambda: {"preset": "ultrafast", "bf": "0"})
    time_base: Fraction = Fraction(1, FRAMES_PER_SECOND)
    timestamps: Sequence[int] | None = None
    """In `time_base`; none: 0, 1, 2…"""
    container: str | None = None
    container_options: dict[str, str] = field(default_factory=dict)
    audio_codec: str | None = None
    audio_first: bool = False
    """The audio stream is number 0 and all its packets lie before the video's."""
    audio_seconds: float | None = None
    """None: as long as the video."""
    rotation_degrees: int = 0
    """Counter-clockwise, as a player is told to turn the picture."""
    mirrored: bool = False
    colorspace: int | None = None
    color_range: int | None = None


def make_video(path: Path, options: ClipOptions | None = None, **changes: Any) -> Path:
    """Encode a clip; `changes` are fields of `ClipOptions`."""
    settings = ClipOptions(**{**(options.__dict__ if options else {}), **changes})
    with av.open(
        str(path), "w", format=settings.container, container_options=settings.container_options
    ) as output:
        audio = None
        if settings.audio_codec and settings.audio_first:
            audio = _add_audio(output, settings)
        video = _add_video(output, settings)
        if settings.audio_codec and not settings.audio_first:
            audio = _add_audio(output, settings)
        if audio is not None and settings.audio_first:
            _write_audio(output, audio, settings)
        for frame in _video_frames(settings):
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if audio is not None and not settings.audio_first:
            _write_audio(output, audio, settings)
    return path


def _add_video(output: Any, settings: ClipOptions) -> Any:
    stream = output.add_stream(settings.codec, rate=Fraction(1) / settings.time_base)
    stream.width, stream.height = settings.width, settings.height
    stream.pix_fmt = settings.pixel_format
    stream.codec_context.time_base = settings.time_base
    stream.codec_context.gop_size = settings.gop
    stream.codec_context.thread_count = 1
    if settings.colorspace is not None:
        stream.codec_context.colorspace = settings.colorspace
        stream.codec_context.color_primaries = settings.colorspace
        stream.codec_context.color_trc = settings.colorspace
    if settings.color_range is not None:
        stream.codec_context.color_range = settings.color_range
    stream.options = dict(settings.codec_options)
    if settings.rotation_degrees or settings.mirrored:
        stream.set_display_rotation(settings.rotation_degrees, hflip=settings.mirrored)
    return stream


def _add_audio(output: Any, settings: ClipOptions) -> Any:
    stream = output.add_stream(settings.audio_codec, rate=SAMPLE_RATE)
    stream.layout = "stereo"
    return stream


def _duration_seconds(settings: ClipOptions) -> float:
    last = settings.timestamps[-1] + 1 if settings.timestamps else settings.frame_count
    return float(last * settings.time_base)


def _video_frames(settings: ClipOptions) -> Iterator[Any]:
    for index in range(settings.frame_count):
        image = frame_image(index, settings.width, settings.height)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        if settings.colorspace is not None or settings.color_range is not None:
            frame = frame.reformat(
                format=settings.pixel_format,
                dst_colorspace={BT709: 1, BT601: 5}.get(settings.colorspace or BT601),
                dst_color_range=settings.color_range,
            )
        frame.pts = settings.timestamps[index] if settings.timestamps else index
        frame.time_base = settings.time_base
        yield frame


def _write_audio(output: Any, stream: Any, settings: ClipOptions) -> None:
    seconds = settings.audio_seconds if settings.audio_seconds is not None else _duration_seconds(settings)
    total, chunk = int(seconds * SAMPLE_RATE), 1024
    for start in range(0, total, chunk):
        times = np.arange(start, min(start + chunk, total)) / SAMPLE_RATE
        tone = (np.sin(2 * np.pi * 440 * times) * 8000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None, :], format="s16", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def make_plain(path: Path, frame_count: int = 45, **changes: Any) -> Path:
    """H.264 at a constant rate; the container follows the file name."""
    return make_video(path, frame_count=frame_count, **changes)


def make_variable_rate(path: Path, **changes: Any) -> Path:
    """Frames at uneven times, gaps of more than a second among them."""
    steps = np.tile([20, 40, 33, 90, 7, 250, 33, 33, 1200], 8)[:50]
    timestamps = [int(value) for value in np.concatenate([[0], np.cumsum(steps)])]
    return make_video(
        path, frame_count=len(timestamps), timestamps=timestamps, time_base=Fraction(1, 1000), **changes
    )


def make_rotated(path: Path, rotation_degrees: int, mirrored: bool = False, **changes: Any) -> Path:
    """A display matrix that tells players to turn the picture counter-clockwise."""
    return make_video(path, rotation_degrees=rotation_degrees, mirrored=mirrored, **changes)


def make_odd_sized(path: Path, width: int = 101, height: int = 75, **changes: Any) -> Path:
    """Odd width and height, 4:4:4 since 4:2:0 encoders refuse them."""
    return make_video(path, width=width, height=height, pixel_format="yuv444p", **changes)


def make_b_frames(path: Path, open_gop: bool = False, **changes: Any) -> Path:
    """Frames stored in another order than shown; `open_gop`: leading frames lean on the group before."""
    options = {"preset": "veryfast", "bf": "3", "b_strategy": "0", "sc_threshold": "0"}
    options["x264-params"] = f"open-gop={int(open_gop)}:b-pyramid=normal:scenecut=0"
    return make_video(path, **{"frame_count": 60, "codec_options": options, **changes})


def make_intra_refresh(path: Path, **changes: Any) -> Path:
    """Recovery points instead of key frames: no place but the start to decode from exactly."""
    options = {"preset": "veryfast", "bf": "0", "x264-params": "intra-refresh=1:scenecut=0"}
    return make_video(path, **{"frame_count": 80, "codec_options": options, **changes})


def make_without_duration(path: Path, **changes: Any) -> Path:
    """Matroska as a live recorder writes it: no duration, no index, sizes unknown."""
    return make_video(path, container_options={"live": "1"}, **changes)


def make_one_frame(path: Path, **changes: Any) -> Path:
    """A video of one frame."""
    return make_video(path, frame_count=1, **changes)


def make_gif(path: Path, frame_count: int = 30, **changes: Any) -> Path:
    """An animated GIF whose frames store only what changed."""
    defaults = {"codec": "gif", "pixel_format": "rgb8", "codec_options": {}, "time_base": Fraction(1, 10)}
    return make_video(path, frame_count=frame_count, **{**defaults, **changes})


def make_avi(path: Path, b_frames: int = 2, **changes: Any) -> Path:
    """MPEG-4 Part 2 in AVI, whose packets carry no presentation time."""
    return make_video(path, codec="mpeg4", codec_options={"bf": str(b_frames)}, **changes)


def make_transport_stream(path: Path, **changes: Any) -> Path:
    """MPEG-TS with B-frames; its time does not start at 0."""
    return make_b_frames(path, container="mpegts", **changes)


def make_vp9(path: Path, **changes: Any) -> Path:
    """VP9 in WebM or Matroska, with hidden reference frames."""
    options = {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "8"}
    return make_video(path, codec="libvpx-vp9", codec_options=options, **changes)


def make_av1(path: Path, **changes: Any) -> Path:
    """AV1 in WebM, Matroska or MP4."""
    os.environ.setdefault("SVT_LOG", "1")  # errors only
    try:
        return make_video(path, codec="libsvtav1", codec_options={"preset": "11"}, **changes)
    finally:
        if hasattr(os, "sched_setscheduler"):
            # For root, SVT-AV1 makes the thread that calls it a real-time one: it, and each process that a
            # later test starts, would take all of a core from the rest of the machine.
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def make_hevc(path: Path, open_gop: bool = True, **changes: Any) -> Path:
    """HEVC with B-frames and, unless told otherwise, open groups."""
    parameters = f"log-level=none:open-gop={int(open_gop)}:bframes=3:scenecut=0"
    options = {"preset": "ultrafast", "x265-params": parameters}
    return make_video(path, codec="libx265", codec_options=options, **changes)


def make_with_edit_list(path: Path, hidden_frames: int = 7, **changes: Any) -> Path:
    """MP4 whose edit list hides the first frames, as a cut without re-encoding leaves it."""
    options = ClipOptions(**changes)
    timestamps = [index - hidden_frames for index in range(options.frame_count)]
    return make_video(path, options, timestamps=timestamps)


def make_with_start_offset(path: Path, offset_frames: int = 45, **changes: Any) -> Path:
    """A video whose first frame comes late."""
    options = ClipOptions(**changes)
    timestamps = [index + offset_frames for index in range(options.frame_count)]
    return make_video(path, options, timestamps=timestamps)


def make_audio_first(path: Path, **changes: Any) -> Path:
    """Audio is stream 0 and lies before every video packet."""
    return make_video(path, **{"audio_codec": "aac", "audio_first": True, **changes})


def make_audio_only(path: Path, codec: str = "aac", seconds: float = 1.0) -> Path:
    """No video stream at all."""
    with av.open(str(path), "w") as output:
        settings = ClipOptions(audio_codec=codec, audio_seconds=seconds)
        _write_audio(output, _add_audio(output, settings), settings)
    return path


def make_audio_with_cover(path: Path) -> Path:
    """Music with a cover picture, which containers call a video stream."""
    with av.open(str(path), "w") as output:
        settings = ClipOptions(
            audio_codec="libmp3lame" if path.suffix == ".mp3" else "aac", audio_seconds=1.0
        )
        audio = _add_audio(output, settings)
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(frame_image(3, 64, 64), format="rgb24")
        picture.pts = 0
        output.mux(cover.encode(picture))
        output.mux(cover.encode(None))
        _write_audio(output, audio, settings)
    return path


def make_two_video_streams(path: Path, default_index: int = 0) -> Path:
    """Two video streams of different sizes; `default_index` names the one players choose."""
    sizes = [(128, 96), (192, 144)]
    with av.open(str(path), "w") as output:
        streams = []
        for number, (width, height) in enumerate(sizes):
            settings = ClipOptions(width=width, height=height)
            stream = _add_video(output, settings)
            flags = av.stream.Disposition.default if number == default_index else 0
            stream.disposition = flags
            streams.append((stream, _video_frames(settings)))
        for _ in range(45):
            for stream, frames in streams:
                output.mux(stream.encode(next(frames)))
        for stream, _ in streams:
            output.mux(stream.encode(None))
    return path


def make_size_change(path: Path, frames_per_size: int = 20) -> Path:
    """H.264 whose picture size changes in mid-stream, as conference recorders write it."""
    rate = FRAMES_PER_SECOND
    with av.open(str(path), "w") as output:
        stream = output.add_mux_stream("h264", rate=rate, width=128, height=96)
        stream.time_base = Fraction(1, rate)
        offset = 0
        for width, height in ((128, 96), (160, 128), (128, 96)):
            encoder = av.CodecContext.create("libx264", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, rate), Fraction(rate)
            encoder.gop_size, encoder.thread_count = 10, 1
            encoder.options = {"preset": "ultrafast", "bf": "0"}
            packets = []
            for index in range(frames_per_size):
                frame = av.VideoFrame.from_ndarray(frame_image(offset + index, width, height), "rgb24")
                frame.pts = offset + index
                packets += encoder.encode(frame)
            packets += encoder.encode(None)
            for packet in packets:
                packet.stream = stream
                output.mux(packet)
            offset += frames_per_size
    return path


COLORS: tuple[tuple[int, int, int], ...] = (
    (255, 255, 255),
    (0, 0, 0),
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (200, 120, 40),
    (40, 120, 200),
    (128, 128, 128),
)
"""RGB colours of the bars that `make_color_bars` paints, left to right."""
BAR_WIDTH = 16


def make_color_bars(
    path: Path, colorspace: int, color_range: int, pixel_format: str = "yuv420p", frame_count: int = 2
) -> Path:
    """Bars of known colours, coded without loss; converted to YUV here, by the formulas of the standards."""
    red_weight, blue_weight = (0.2126, 0.0722) if colorspace == BT709 else (0.299, 0.114)
    colors = np.array(COLORS) / 255
    luma = colors @ np.array([red_weight, 1 - red_weight - blue_weight, blue_weight])
    differences = (
        (colors[:, 2] - luma) / (2 * (1 - blue_weight)),
        (colors[:, 0] - luma) / (2 * (1 - red_weight)),
    )
    if color_range == FULL_RANGE:
        levels = [luma * 255, *(difference * 255 + 128 for difference in differences)]
    else:
        levels = [luma * 219 + 16, *(difference * 224 + 128 for difference in differences)]
    deep = pixel_format.endswith("10le")
    with av.open(str(path), "w") as output:
        settings = ClipOptions(
            width=BAR_WIDTH * len(COLORS),
            height=32,
            pixel_format=pixel_format,
            colorspace=colorspace,
            color_range=color_range,
            codec_options={"preset": "ultrafast", "qp": "0"},
        )
        stream = _add_video(output, settings)
        for index in range(frame_count):
            frame = av.VideoFrame(settings.width, settings.height, pixel_format)
            for plane, level in zip(frame.planes, levels, strict=True):
                columns = np.repeat(np.clip(level, 0, 255), plane.width // len(COLORS)) * (4 if deep else 1)
                view = np.frombuffer(memoryview(plane), np.uint16 if deep else np.uint8)
                view.reshape(plane.height, -1)[:, : plane.width] = np.rint(columns)
            frame.pts = index
            frame.colorspace, frame.color_range = colorspace, color_range
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def make_many_streams(path: Path, count: int = 400) -> Path:
    """A container with absurdly many streams."""
    with av.open(str(path), "w", format="matroska") as output:
        streams = []
        for _ in range(count):
            stream = output.add_stream("mjpeg", rate=10)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "yuvj420p"
            stream.codec_context.thread_count = 1
            streams.append(stream)
        for stream in streams:
            frame = av.VideoFrame.from_ndarray(frame_image(0, 16, 16), format="rgb24")
            frame.pts = 0
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return path
