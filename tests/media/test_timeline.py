from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from media.timeline import Timeline, TimelineKind, scan_timeline
from tests import samples


@pytest.mark.parametrize("name", ["variable_rate.mp4", "raw.h264", "rotated_90.mp4", "start_offset.mkv"])
def test_a_timeline_survives_storage(clip: Callable[[str], Path], name: str) -> None:
    timeline = scan_timeline(clip(name))
    copy = Timeline.from_bytes(timeline.to_bytes())
    for field, value in timeline.__dict__.items():
        if isinstance(value, np.ndarray):
            assert getattr(copy, field).dtype == value.dtype
            assert getattr(copy, field).tolist() == value.tolist()
        else:
            assert getattr(copy, field) == value


def test_an_hour_takes_little_room(media_dir: Path) -> None:
    timeline = scan_timeline(media_dir / "one-by-one-person-detection.mp4")
    assert len(timeline.to_bytes()) < 2 * timeline.frame_count


@pytest.mark.parametrize("name", ["intra_refresh.mp4", "animated.gif"])
def test_only_real_starting_points_count_as_key_frames(clip: Callable[[str], Path], name: str) -> None:
    assert np.flatnonzero(scan_timeline(clip(name)).key_frame).tolist() == [0]


@pytest.mark.parametrize("name", ["b_frames.mp4", "open_gop.mp4", "open_gop.ts", "hevc.mp4", "vp9.webm"])
def test_key_frames_are_found(clip: Callable[[str], Path], name: str) -> None:
    expected = list(range(0, scan_timeline(clip(name)).frame_count, 12))
    assert len(np.flatnonzero(scan_timeline(clip(name)).key_frame)) == len(expected)


def test_joined_transport_streams_go_on_in_time(clip: Callable[[str], Path], tmp_path: Path) -> None:
    late = samples.make_transport_stream(
        tmp_path / "late.ts", timestamps=list(range(600, 660)), frame_count=60
    )
    joined = tmp_path / "joined.ts"
    joined.write_bytes(late.read_bytes() + clip("stream.ts").read_bytes())
    timeline = scan_timeline(joined)
    assert timeline.kind is TimelineKind.SEQUENTIAL
    assert timeline.frame_count == 120
    assert np.allclose(np.diff(timeline.timestamps_seconds), 1 / 30)


def test_a_stream_cut_before_its_first_key_frame_begins_where_it_decodes(
    clip: Callable[[str], Path], tmp_path: Path
) -> None:
    content = clip("stream.ts").read_bytes()
    path = tmp_path / "cut.ts"
    path.write_bytes(content[: 188 * 3] + content[188 * (len(content) // 188 // 2) :])
    timeline = scan_timeline(path)
    assert timeline.kind is not TimelineKind.PACKETS
    assert 0 < timeline.frame_count < 60
