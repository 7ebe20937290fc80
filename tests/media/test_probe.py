from collections.abc import Callable
from pathlib import Path

import pytest

from media.errors import MediaLimitError
from media.probe import MediaLimits, probe
from media.timeline import TimelineKind
from tests import samples


@pytest.mark.parametrize(
    ("name", "codec", "size", "frame_count", "duration", "fps", "has_audio"),
    [
        ("short_hamilton_clip.mp4", "h264", (640, 360), 275, 9.18, 29.97, True),
        ("one-by-one-person-detection.mp4", "h264", (768, 432), 1394, 139.4, 10.0, False),
        ("bottle-detection.mp4", "h264", (640, 360), 1189, 39.85, 29.83, False),
        ("nasa_13013.mp4", "h264", (320, 180), 325, 13.0, 25.0, True),
        ("gestures/book.mkv", "h264", (640, 480), 109, 3.63, 30.0, False),
    ],
)
def test_real_clips(
    media_dir: Path,
    name: str,
    codec: str,
    size: tuple[int, int],
    frame_count: int,
    duration: float,
    fps: float,
    has_audio: bool,
) -> None:
    result = probe(media_dir / name)
    assert result.codec == codec
    assert (result.width, result.height) == size
    assert result.frame_count == result.timeline.frame_count == frame_count
    assert result.duration_seconds == pytest.approx(duration, abs=0.01)
    assert result.average_fps == pytest.approx(fps, abs=0.01)
    assert not result.is_variable_frame_rate
    assert result.has_audio is has_audio
    assert result.rotation_degrees == 0


@pytest.mark.parametrize(
    ("name", "size", "rotation"),
    [
        ("plain.mp4", (128, 96), 0),
        ("rotated_90.mp4", (96, 128), 270),
        ("rotated_180.mov", (128, 96), 180),
        ("rotated_270.mp4", (96, 128), 90),
        ("odd_sized.mp4", (101, 75), 0),
        ("odd_rotated.mp4", (75, 101), 270),
    ],
)
def test_sizes_are_as_shown(
    clip: Callable[[str], Path], name: str, size: tuple[int, int], rotation: int
) -> None:
    result = probe(clip(name))
    assert (result.width, result.height) == size
    assert result.rotation_degrees == rotation


@pytest.mark.parametrize("name", ["variable_rate.mp4", "variable_rate.mkv"])
def test_variable_frame_rate(clip: Callable[[str], Path], name: str) -> None:
    result = probe(clip(name))
    assert result.is_variable_frame_rate
    assert result.average_fps == pytest.approx(50 / 8.72)


@pytest.mark.parametrize(
    "name", ["plain.mkv", "without_duration.mkv", "mpeg4.avi", "animated.gif", "b_frames.avi"]
)
def test_rounded_times_are_no_variable_rate(clip: Callable[[str], Path], name: str) -> None:
    assert not probe(clip(name)).is_variable_frame_rate


@pytest.mark.parametrize(
    ("name", "frame_count", "duration"),
    [
        ("one_frame.mp4", 1, 1 / 30),
        ("one_frame.gif", 1, 0.1),
        ("animated.gif", 30, 3.0),
        ("without_duration.mkv", 45, 1.5),
        ("start_offset.mp4", 45, 1.5),
        ("edit_list.mp4", 38, 38 / 30),
        ("mpeg4.avi", 45, 1.5),
        ("stream.ts", 60, 2.0),
        ("audio_first.mp4", 45, 1.5),
    ],
)
def test_counts_and_lengths(
    clip: Callable[[str], Path], name: str, frame_count: int, duration: float
) -> None:
    result = probe(clip(name))
    assert result.frame_count == frame_count
    assert result.duration_seconds == pytest.approx(duration, abs=2e-3)


@pytest.mark.parametrize(
    ("name", "fps"),
    [("one_frame.mp4", 30), ("one_frame.gif", 10), ("one.mkv", 30), ("one.ts", 30), ("one.avi", 30)],
)
def test_a_single_frame_has_a_rate(
    clip: Callable[[str], Path], tmp_path: Path, name: str, fps: float
) -> None:
    path = clip(name) if name.startswith("one_") else samples.make_video(tmp_path / name, frame_count=1)
    result = probe(path)
    assert result.frame_count == 1
    assert result.average_fps == pytest.approx(fps)
    assert not result.is_variable_frame_rate


@pytest.mark.parametrize(("name", "width"), [("two_streams.mp4", 128), ("second_stream.mkv", 192)])
def test_of_several_streams_the_default_counts(clip: Callable[[str], Path], name: str, width: int) -> None:
    assert probe(clip(name)).width == width


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (MediaLimits(max_width=127), "max_width"),
        (MediaLimits(max_height=95), "max_height"),
        (MediaLimits(max_pixels=128 * 96 - 1), "max_pixels"),
        (MediaLimits(max_duration_seconds=1.0), "max_duration_seconds"),
        (MediaLimits(max_frames=44), "max_frames"),
    ],
)
@pytest.mark.parametrize("name", ["plain.mp4", "plain.mkv", "plain.flv", "mpeg4.avi"])
def test_every_limit_is_named(
    clip: Callable[[str], Path], name: str, limits: MediaLimits, named: str
) -> None:
    with pytest.raises(MediaLimitError) as caught:
        probe(clip(name), limits)
    assert caught.value.limit == named


def test_a_video_at_its_limits_passes(clip: Callable[[str], Path]) -> None:
    limits = MediaLimits(1.5, max_width=128, max_height=96, max_pixels=128 * 96, max_frames=45)
    assert probe(clip("plain.mp4"), limits).frame_count == 45


def test_a_limit_holds_where_every_frame_must_be_decoded(clip: Callable[[str], Path]) -> None:
    with pytest.raises(MediaLimitError):
        probe(clip("raw.h264"), MediaLimits(max_frames=50))
    assert probe(clip("raw.h264")).timeline.kind is TimelineKind.SEQUENTIAL


def test_many_streams_are_bounded(tmp_path: Path) -> None:
    assert probe(samples.make_many_streams(tmp_path / "many.mkv")).frame_count == 1


def test_odd_names_are_only_names(clip: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("http:example.mp4", "clip%03d.mp4", "concat:a|b.mp4", "-y.mp4", "zwölf 日本.mp4"):
        path = tmp_path / name
        path.write_bytes(clip("plain.mp4").read_bytes())
        assert probe(path).frame_count == 45
