"""What is mutated: real clips, and short versions of them in every common container."""

import itertools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

_FRAMES = 30
_WIDTH, _HEIGHT = 256, 144


@dataclass(frozen=True)
class Form:
    """How a short version is written."""

    suffix: str
    codec: str
    pixel_format: str = "yuv420p"
    options: tuple[tuple[str, str], ...] = ()
    container_options: tuple[tuple[str, str], ...] = ()


_X264 = (("preset", "ultrafast"), ("g", "10"), ("bf", "2"))
FORMS: dict[str, Form] = {
    "mp4": Form("mp4", "libx264", options=_X264),
    "mp4-index-first": Form("mp4", "libx264", options=_X264, container_options=(("movflags", "+faststart"),)),
    "mp4-fragmented": Form(
        "mp4", "libx264", options=_X264, container_options=(("movflags", "frag_keyframe+empty_moov"),)
    ),
    "mov-mjpeg": Form("mov", "mjpeg", "yuvj420p"),
    "mkv": Form("mkv", "libx264", options=_X264),
    "webm-vp9": Form(
        "webm", "libvpx-vp9", options=(("deadline", "realtime"), ("cpu-used", "8"), ("g", "10"))
    ),
    "webm-vp8": Form("webm", "libvpx", options=(("deadline", "realtime"), ("cpu-used", "8"), ("g", "10"))),
    "avi": Form("avi", "mpeg4", options=(("g", "10"),)),
    "ts": Form("ts", "libx264", options=_X264),
    "ts-mpeg2": Form("ts", "mpeg2video", options=(("g", "10"),)),
    "flv": Form("flv", "flv", options=(("g", "10"),)),
    "wmv": Form("wmv", "wmv2", options=(("g", "10"),)),
    "gif": Form("gif", "gif", "rgb8"),
}
"""Name → how the short version is coded."""


@dataclass(frozen=True)
class Source:
    """A whole file to make mutants of."""

    name: str
    suffix: str
    content: bytes


def make_sources(media_dir: Path, directory: Path) -> list[Source]:
    """The small real clips as they are, and short versions of real clips in each form.

    Args:
        media_dir: Folder of real clips.
        directory: Where the short versions are written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    originals = [*sorted((media_dir / "gestures").glob("*.mkv")), media_dir / "nasa_13013.mp4"]
    sources = [_source(path.stem, path) for path in originals]
    pictures = itertools.cycle([media_dir / "short_hamilton_clip.mp4", *originals])
    for (name, form), clip in zip(FORMS.items(), pictures, strict=False):
        sources.append(_source(name, _coded(clip, directory / f"{name}.{form.suffix}", form)))
    for suffix in ("mkv", "ts", "mov"):
        clip = media_dir / "short_hamilton_clip.mp4"
        sources.append(_source(f"copied-{suffix}", _copied(clip, directory / f"copied.{suffix}")))
    return sources


def _source(name: str, path: Path) -> Source:
    return Source(name, path.suffix, path.read_bytes())


def _coded(clip: Path, destination: Path, form: Form) -> Path:
    """The first frames of `clip`, coded anew."""
    with (
        av.open(str(clip)) as reading,
        av.open(str(destination), "w", container_options=dict(form.container_options)) as writing,
    ):
        stream: Any = writing.add_stream(form.codec, rate=25, options=dict(form.options))
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, form.pixel_format
        stream.codec_context.thread_count = 1
        for index, frame in enumerate(itertools.islice(reading.decode(video=0), _FRAMES)):
            small = frame.reformat(_WIDTH, _HEIGHT, form.pixel_format)
            small.pts, small.time_base = index, Fraction(1, 25)
            writing.mux(stream.encode(small))
        writing.mux(stream.encode(None))
    return destination


def _copied(clip: Path, destination: Path) -> Path:
    """The first packets of `clip`, picture only, in another container."""
    with av.open(str(clip)) as reading, av.open(str(destination), "w") as writing:
        stream = reading.streams.video[0]
        copy = writing.add_stream_from_template(stream)
        for packet in itertools.islice(reading.demux(stream), 2 * _FRAMES):
            if packet.dts is not None:
                packet.stream = copy
                writing.mux(packet)
    return destination
