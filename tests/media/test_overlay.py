from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from media.audio import AudioTrack
from media.errors import TimelineMismatchError
from media.frames import read_frames
from media.overlay import KEPT_START_SECONDS, OverlayBox, write_overlay
from media.segments import plan_segments
from media.timeline import Timeline, scan_timeline
from tests import samples

BOX = OverlayBox(30.0, 40.0, 90.0, 80.0, "face", 0.93, 3)
CLIPS = (
    "plain.mp4",
    "variable_rate.mp4",
    "variable_rate.mkv",
    "rotated_90.mp4",
    "rotated_180.mov",
    "mirrored.mp4",
    "odd_sized.mp4",
    "odd_rotated.mp4",
    "open_gop.mp4",
    "b_frames.avi",
    "raw.h264",
    "start_offset.mp4",
    "start_offset.mkv",
    "edit_list.mp4",
    "one_frame.mp4",
    "one_frame.gif",
    "animated.gif",
    "stream.ts",
    "hevc.mp4",
    "vp9.webm",
    "ten_bit.mp4",
    "yuv444.mp4",
    "full_range.mp4",
    "bt709.mp4",
    "size_change.ts",
    "without_duration.mkv",
    "wmv2.wmv",
)


def images_of(path: Path, timeline: Timeline | None = None) -> tuple[Timeline, list[np.ndarray]]:
    timeline = timeline or scan_timeline(path)
    (plan,) = plan_segments(timeline, target_seconds=1e9)
    return timeline, [frame.image for frame in read_frames(path, plan, timeline.time_base)]


def coarse(image: np.ndarray) -> np.ndarray:
    """Averages over 16 by 16 places, which halved colour resolution leaves alone."""
    return cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA).astype(int)


@pytest.mark.parametrize("name", CLIPS)
def test_frames_times_and_pictures_are_the_sources(
    clip: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    source, images = images_of(clip(name))
    written = write_overlay(
        clip(name), tmp_path / "overlay.mp4", lambda index: [BOX] if index % 2 else [], crf=12
    )
    assert written.frame_count == source.frame_count
    assert written.shift_seconds == 0
    overlay, overlay_images = images_of(tmp_path / "overlay.mp4")
    assert overlay.timestamps_seconds == pytest.approx(source.timestamps_seconds, abs=1e-3)
    assert overlay.duration_seconds == pytest.approx(source.duration_seconds, abs=1e-3)
    for before, after in zip(images[::2], overlay_images[::2], strict=True):
        height, width = before.shape[:2]
        assert after.shape[:2] == (height + height % 2, width + width % 2)
        assert np.abs(coarse(after[:height, :width]) - coarse(before)).mean() < 3.5


@pytest.mark.parametrize("name", ["plain.mkv", "odd_sized.mp4", "animated.gif", "full_range.mp4", "pcm.mkv"])
def test_a_browser_can_play_it(clip: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    path = tmp_path / "overlay.mp4"
    write_overlay(clip(name), path, lambda index: [BOX])
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(path)) as container:
        (stream,) = container.streams.video
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert stream.width % 2 == stream.height % 2 == 0
        assert stream.profile in ("High", "Main", "Constrained Baseline")
        assert all(packet.pts == packet.dts for packet in container.demux(stream))
        assert {audio.codec_context.name for audio in container.streams.audio} <= {
            "aac",
            "mp3",
            "opus",
            "flac",
        }


@pytest.mark.parametrize(
    ("name", "codec"),
    [("aac.mp4", "aac"), ("aac.ts", "aac"), ("opus.mkv", "opus"), ("pcm.mkv", "aac"), ("pcm.mov", "aac")],
)
def test_sound_is_kept_and_in_step(
    clip: Callable[[str], Path], tmp_path: Path, name: str, codec: str
) -> None:
    path = tmp_path / "overlay.mp4"
    write_overlay(clip(name), path, lambda index: [])
    loudness = [sound_of(clip(name)), sound_of(path)]
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == [codec]
    (source_start, source_end), (start, end) = loudness
    assert start == pytest.approx(source_start, abs=0.03)
    assert end == pytest.approx(source_end, abs=0.05)


def sound_of(path: Path) -> tuple[float, float]:
    """When the tone of the made clips begins and ends."""
    times: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples_of = np.abs(frame.to_ndarray().astype(np.float64)).max(axis=0)
            if not frame.format.is_planar:
                samples_of = samples_of.reshape(-1, 2).max(axis=1)
            loud = np.flatnonzero(samples_of > 0.1 * (1 if samples_of.max() <= 2 else 32768))
            times += [frame.time + index / frame.sample_rate for index in loud[[0, -1]]] if len(loud) else []
    return min(times), max(times)


def test_real_sound_keeps_its_offset(media_dir: Path, tmp_path: Path) -> None:
    source, path = media_dir / "short_hamilton_clip.mp4", tmp_path / "overlay.mp4"
    write_overlay(source, path, lambda index: [])
    with av.open(str(source)) as before, av.open(str(path)) as after:
        starts = [
            float(file.streams.audio[0].start_time * file.streams.audio[0].time_base)
            for file in (before, after)
        ]
        first = [float(next(file.decode(video=0)).time) for file in (before, after)]
    assert starts[1] == pytest.approx(starts[0], abs=1e-3)
    assert first[1] == pytest.approx(first[0], abs=1e-3)


def test_sound_that_cannot_be_copied_is_coded(
    clip: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: AudioTrack, packet: object) -> None:
        raise av.error.InvalidDataError(1, "damaged")

    monkeypatch.setattr(AudioTrack, "_copy", refuse)
    progress: list[int] = []
    path = tmp_path / "overlay.mp4"
    write_overlay(clip("opus.mkv"), path, lambda index: [], on_progress=progress.append)
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac"]
    assert progress == list(range(1, 46))


def test_a_late_start_is_moved_to_zero(tmp_path: Path) -> None:
    offset_frames = round(KEPT_START_SECONDS * 30) + 300
    source = samples.make_with_start_offset(tmp_path / "late.ts", offset_frames, container="mpegts")
    written = write_overlay(source, tmp_path / "overlay.mp4", lambda index: [])
    source_times = scan_timeline(source).timestamps_seconds
    assert source_times[0] > KEPT_START_SECONDS
    assert written.shift_seconds == pytest.approx(-source_times[0], abs=1e-3)
    times = scan_timeline(tmp_path / "overlay.mp4").timestamps_seconds
    assert times == pytest.approx(source_times + written.shift_seconds, abs=1e-3)


def test_boxes_are_drawn_where_they_belong(clip: Callable[[str], Path], tmp_path: Path) -> None:
    _, before = images_of(clip("plain.mp4"))
    write_overlay(
        clip("plain.mp4"), tmp_path / "overlay.mp4", lambda index: [BOX] if index == 20 else [], crf=10
    )
    _, after = images_of(tmp_path / "overlay.mp4")
    changed = [
        np.abs(one.astype(int) - other).max(axis=2) > 60 for one, other in zip(before, after, strict=True)
    ]
    assert changed[20][40:81, 29:32].mean() > 0.3
    assert changed[20][40:81, 89:92].mean() > 0.3
    assert changed[20][79:82, 30:91].mean() > 0.2
    assert changed[20][45:75, 40:80].mean() < 0.02
    assert changed[19].mean() < 0.02
    assert changed[21].mean() < 0.02


def test_progress_is_told_after_every_frame(clip: Callable[[str], Path], tmp_path: Path) -> None:
    progress: list[int] = []
    asked: list[int] = []

    def boxes_of(index: int) -> list[OverlayBox]:
        asked.append(index)
        return []

    write_overlay(clip("aac.mp4"), tmp_path / "overlay.mp4", boxes_of, on_progress=progress.append)
    assert progress == list(range(1, 46))
    assert asked == list(range(45))


def test_nothing_is_left_behind_on_an_error(clip: Callable[[str], Path], tmp_path: Path) -> None:
    def fail(count: int) -> None:
        if count == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_overlay(clip("aac.mp4"), tmp_path / "overlay.mp4", lambda index: [], on_progress=fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["variable_rate.mp4", "one_frame.mp4"])
def test_another_videos_timeline_is_refused(clip: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    with pytest.raises(TimelineMismatchError):
        write_overlay(
            clip("plain.mp4"), tmp_path / "overlay.mp4", lambda index: [], timeline=scan_timeline(clip(name))
        )
    assert list(tmp_path.iterdir()) == []


def test_repeated_and_distant_times_can_be_written(clip: Callable[[str], Path], tmp_path: Path) -> None:
    plain = scan_timeline(clip("plain.mp4"))
    pts = np.arange(45, dtype=np.int64)
    pts[10:12] = 10
    pts[40:] += 80_000 * 30
    timeline = Timeline(
        pts, plain.key_frame, Fraction(1, 30), plain.kind, plain.width, plain.height, 0, last_duration=1
    )
    write_overlay(clip("plain.mp4"), tmp_path / "overlay.mp4", lambda index: [], timeline=timeline)
    times = scan_timeline(tmp_path / "overlay.mp4").timestamps_seconds
    assert times == pytest.approx(timeline.timestamps_seconds, abs=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (400, 3)])
def test_tiny_pictures(tmp_path: Path, size: tuple[int, int]) -> None:
    source = samples.make_gif(tmp_path / "tiny.gif", 3, width=size[0], height=size[1])
    boxes = [OverlayBox(0, 0, 1e6, 1e6, "x" * 60, 1.0, 1), OverlayBox(-1e6, -1e6, -50, -50, "y", 0.0)]
    write_overlay(source, tmp_path / "overlay.mp4", lambda index: boxes)
    assert scan_timeline(tmp_path / "overlay.mp4").frame_count == 3
