"""The same over http, as files in object storage are read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from media.errors import MediaError, TruncatedError
from media.frames import read_frames
from media.overlay import write_overlay
from media.probe import probe
from media.segments import plan_segments
from tests import broken_samples
from tests.media.file_server import serve
from tests.media.reference import decode_all, digest


@pytest.mark.parametrize("name", ["open_gop.mp4", "open_gop.mkv", "without_duration.mkv", "stream.ts"])
def test_a_remote_video_is_read_exactly(clip: Callable[[str], Path], name: str) -> None:
    with serve(clip(name).parent) as (address, _):
        source = f"{address}/{name}?signature=a%2Fb&expires=1"
        timeline = probe(source).timeline
        plans = plan_segments(timeline, target_seconds=0.3)
        frames = [frame for plan in plans for frame in read_frames(source, plan, timeline.time_base)]
    assert [digest(frame.image) for frame in frames] == [frame.digest for frame in decode_all(clip(name))]


def test_a_remote_video_is_drawn_on(clip: Callable[[str], Path], tmp_path: Path) -> None:
    with serve(clip("aac.mp4").parent) as (address, _):
        written = write_overlay(f"{address}/aac.mp4", tmp_path / "overlay.mp4", lambda index: [])
    assert written.frame_count == probe(tmp_path / "overlay.mp4").frame_count == 45


def test_a_remote_video_that_was_cut_is_incomplete(clip: Callable[[str], Path], tmp_path: Path) -> None:
    broken_samples.make_truncated(tmp_path / "cut.mkv", clip("without_duration.mkv"), 6)
    with serve(tmp_path) as (address, _), pytest.raises(TruncatedError):
        probe(f"{address}/cut.mkv")


def test_a_missing_remote_video_is_not_the_uploaders_fault(tmp_path: Path) -> None:
    with serve(tmp_path) as (address, _), pytest.raises(OSError, match="404"):
        probe(f"{address}/missing.mp4")


@pytest.mark.parametrize("kind", ["hls", "concat", "sdp", "dash"])
def test_no_uploaded_file_makes_the_server_fetch_anything(
    clip: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    with serve(clip("plain.mp4").parent) as (address, asked):
        for name in ("video.mp4", "video.m3u8", "video.mpd", "video.mkv"):
            path = broken_samples.make_playlist(tmp_path / name, kind, f"{address}/plain.mp4")
            with pytest.raises(MediaError):
                probe(path)
        assert asked == []
