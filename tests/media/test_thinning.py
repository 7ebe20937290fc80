"""Frames that a stride leaves out are passed over where nothing needs them; the others stay what they are."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import media.frames
from media.container import OpenVideo, VideoPacket
from media.errors import TimelineMismatchError
from media.frames import decode_frames, read_frames
from media.segments import SegmentPlan, plan_segments
from media.timeline import TimelineKind, scan_timeline
from tests.media.reference import decode_all, digest

MADE_CLIPS = (
    "plain.mp4",
    "b_frames.mp4",
    "open_gop.mp4",
    "open_gop.mkv",
    "open_gop.ts",
    "stream.ts",
    "variable_rate.mp4",
    "variable_rate.mkv",
    "edit_list.mp4",
    "start_offset.mkv",
    "intra_refresh.mp4",
    "rotated_90.mp4",
    "hevc.mp4",
    "vp9.webm",
)
REAL_CLIPS = ("nasa_13013.mp4", "gestures/eat.mkv")


def strided(path: Path, target: float, stride: int, **options: Any) -> list[tuple[int, int, str]]:
    timeline = scan_timeline(path)
    return [
        (frame.index, frame.pts, digest(frame.image))
        for plan in plan_segments(timeline, target_seconds=target)
        for frame in read_frames(path, plan, timeline.time_base, frame_stride=stride, **options)
    ]


def assert_same(path: Path) -> None:
    expected = [(index, frame.pts, frame.digest) for index, frame in enumerate(decode_all(path))]
    for target, stride in ((0.3, 2), (1.0, 3), (1e9, 5)):
        assert strided(path, target, stride) == expected[::stride], (target, stride)


@pytest.mark.parametrize("name", MADE_CLIPS)
def test_a_stride_gives_the_frames_of_full_decoding(clip: Callable[[str], Path], name: str) -> None:
    assert_same(clip(name))


@pytest.mark.parametrize("name", REAL_CLIPS)
def test_a_stride_gives_the_frames_of_full_decoding_of_real_clips(media_dir: Path, name: str) -> None:
    assert_same(media_dir / name)


def test_frames_chosen_one_by_one_are_those_of_full_decoding(clip: Callable[[str], Path]) -> None:
    chosen = {0, 7, 8, 29, 30, 59}
    expected = decode_all(clip("open_gop.mp4"))
    frames = strided(clip("open_gop.mp4"), 1.0, 1, wanted=chosen.__contains__)
    assert [(index, shown) for index, _, shown in frames] == [
        (index, expected[index].digest) for index in sorted(chosen)
    ]


def test_threads_change_nothing(clip: Callable[[str], Path]) -> None:
    assert strided(clip("open_gop.mp4"), 0.3, 4, thread_count=3) == strided(clip("open_gop.mp4"), 0.3, 4)


def decoded_count(monkeypatch: pytest.MonkeyPatch, path: Path, stride: int) -> int:
    """How many frames the decoder gives."""
    count = 0
    real = media.thinning.decoded_frames

    def counted(video: OpenVideo, packets: Iterator[VideoPacket]) -> Iterator[Any]:
        nonlocal count
        for frame in real(video, packets):
            count += 1
            yield frame

    monkeypatch.setattr(media.thinning, "decoded_frames", counted)
    strided(path, 1e9, stride)
    return count


def test_frames_that_no_other_needs_are_not_decoded(
    clip: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    all_frames = len(decode_all(clip("b_frames.mp4")))
    assert 0 < decoded_count(monkeypatch, clip("b_frames.mp4"), 6) < 0.8 * all_frames


def test_every_frame_that_others_need_is_decoded(
    clip: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert decoded_count(monkeypatch, clip("plain.mp4"), 6) == len(decode_all(clip("plain.mp4")))


@pytest.mark.parametrize("kind", [TimelineKind.FRAMES, TimelineKind.SEQUENTIAL])
def test_where_packets_do_not_tell_their_frames_all_are_decoded(
    clip: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, kind: TimelineKind
) -> None:
    monkeypatch.setattr(media.frames, "thinned_frames", None)
    timeline = scan_timeline(clip("b_frames.mp4"), kind)
    (plan,) = plan_segments(timeline, target_seconds=1e9)
    frames = list(decode_frames(clip("b_frames.mp4"), plan, timeline.time_base, frame_stride=10))
    assert [frame.index for frame in frames] == list(range(0, 60, 10))


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_wrong_promise_is_noticed(clip: Callable[[str], Path], difference: int) -> None:
    timeline = scan_timeline(clip("b_frames.mp4"))
    (plan,) = plan_segments(timeline, target_seconds=1e9)
    wrong = SegmentPlan(**{**plan.__dict__, "frame_count": plan.frame_count + difference, "end_pts": 10**9})
    if difference < 0:
        wrong = SegmentPlan(**{**wrong.__dict__, "start_pts": int(timeline.pts[2])})
    with pytest.raises(TimelineMismatchError):
        list(read_frames(clip("b_frames.mp4"), wrong, timeline.time_base, frame_stride=2))
