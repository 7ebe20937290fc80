"""Frames read by segments are the frames that plain sequential decoding gives: number, times, pixels."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from media.errors import TimelineMismatchError
from media.frames import Frame, read_frames
from media.probe import probe
from media.segments import SegmentPlan, default_target_seconds, plan_segments
from media.timeline import Timeline, TimelineKind, scan_timeline
from tests.media.reference import decode_all, digest

REAL_CLIPS = (
    "bottle-detection.mp4",
    "nasa_13013.mp4",
    "one-by-one-person-detection.mp4",
    "short_hamilton_clip.mp4",
    *(
        f"gestures/{word}.mkv"
        for word in ("book", "eat", "help", "milk", "night", "please", "school", "walk")
    ),
)
WHOLE = 1e9
MADE_CLIPS = (
    "plain.mp4",
    "plain.mkv",
    "plain.flv",
    "variable_rate.mp4",
    "variable_rate.mkv",
    "rotated_90.mp4",
    "rotated_180.mov",
    "rotated_270.mp4",
    "mirrored.mp4",
    "odd_sized.mp4",
    "odd_rotated.mp4",
    "b_frames.mp4",
    "open_gop.mp4",
    "open_gop.mkv",
    "intra_refresh.mp4",
    "without_duration.mkv",
    "one_frame.mp4",
    "one_frame.gif",
    "animated.gif",
    "mpeg4.avi",
    "mpeg4_no_b_frames.avi",
    "stream.ts",
    "open_gop.ts",
    "vp9.webm",
    "av1.webm",
    "av1.mp4",
    "hevc.mp4",
    "hevc.ts",
    "edit_list.mp4",
    "start_offset.mp4",
    "start_offset.mkv",
    "audio_first.mp4",
    "audio_first.mkv",
    "yuv444.mp4",
    "ten_bit.mp4",
    "full_range.mp4",
    "bt709.mp4",
    "fragmented.mp4",
    "mpeg2.mpg",
    "wmv2.wmv",
    "two_streams.mp4",
    "second_stream.mkv",
)


def read_all(path: Path, timeline: Timeline, plans: list[SegmentPlan], **options: int) -> Iterator[Frame]:
    for plan in plans:
        yield from read_frames(path, plan, timeline.time_base, **options)


def assert_exact(
    path: Path, targets: tuple[float, ...], *, stream_number: int = 0, mirrored: bool = False
) -> Timeline:
    expected = decode_all(path, stream_number, mirrored)
    timeline = scan_timeline(path)
    assert timeline.frame_count == len(expected)
    assert timeline.timestamps_seconds.tolist() == [frame.time for frame in expected]
    for target in targets:
        plans = plan_segments(timeline, target_seconds=target)
        frames = [
            (frame.index, frame.pts, frame.timestamp_seconds, digest(frame.image), frame.image.shape[:2])
            for frame in read_all(path, timeline, plans)
            if frame.image.flags.c_contiguous
        ]
        assert frames == [
            (index, frame.pts, frame.time, frame.digest, (frame.height, frame.width))
            for index, frame in enumerate(expected)
        ], f"target {target} s"
    return timeline


@pytest.mark.parametrize("name", REAL_CLIPS)
def test_real_clips_are_read_exactly(media_dir: Path, name: str) -> None:
    duration = probe(media_dir / name).duration_seconds
    timeline = assert_exact(media_dir / name, (1.0, default_target_seconds(duration), WHOLE))
    assert timeline.kind is TimelineKind.PACKETS


@pytest.mark.parametrize("name", MADE_CLIPS)
def test_made_clips_are_read_exactly(clip: Callable[[str], Path], name: str) -> None:
    timeline = assert_exact(
        clip(name),
        (0.3, 1.0, WHOLE),
        stream_number=int(name == "second_stream.mkv"),
        mirrored=name == "mirrored.mp4",
    )
    assert timeline.kind is TimelineKind.PACKETS


@pytest.mark.parametrize("name", ["open_gop.mp4", "hevc.mp4", "vp9.webm"])
def test_threads_change_nothing(clip: Callable[[str], Path], name: str) -> None:
    timeline = scan_timeline(clip(name))
    plans = plan_segments(timeline, target_seconds=0.3)
    one = [digest(frame.image) for frame in read_all(clip(name), timeline, plans)]
    three = [digest(frame.image) for frame in read_all(clip(name), timeline, plans, thread_count=3)]
    assert one == three


@pytest.mark.parametrize("kind", [TimelineKind.FRAMES, TimelineKind.SEQUENTIAL])
@pytest.mark.parametrize("name", ["open_gop.mp4", "stream.ts", "variable_rate.mkv", "edit_list.mp4"])
def test_surer_timelines_say_the_same(clip: Callable[[str], Path], name: str, kind: TimelineKind) -> None:
    by_packets, surer = scan_timeline(clip(name)), scan_timeline(clip(name), kind)
    assert surer.kind is kind
    assert surer.pts.tolist() == by_packets.pts.tolist()
    if kind is TimelineKind.FRAMES:
        assert surer.key_frame.tolist() == by_packets.key_frame.tolist()
    plans = plan_segments(surer, target_seconds=0.3)
    assert len(plans) == 1 if kind is TimelineKind.SEQUENTIAL else len(plans) > 1
    digests = [digest(frame.image) for frame in read_all(clip(name), surer, plans)]
    assert digests == [frame.digest for frame in decode_all(clip(name))]


@pytest.mark.parametrize("name", ["b_frames.avi", "raw.h264"])
def test_files_without_usable_times_are_counted(clip: Callable[[str], Path], name: str) -> None:
    timeline = scan_timeline(clip(name))
    assert timeline.kind is TimelineKind.SEQUENTIAL
    (plan,) = plan_segments(timeline, target_seconds=0.3)
    frames = list(read_frames(clip(name), plan, timeline.time_base))
    expected = decode_all(clip(name))
    assert [digest(frame.image) for frame in frames] == [frame.digest for frame in expected]
    assert [frame.timestamp_seconds for frame in frames] == pytest.approx([index / 30 for index in range(60)])


@pytest.mark.parametrize("name", ["size_change.ts", "size_change.mkv"])
def test_frames_of_another_size_are_scaled_to_the_first(clip: Callable[[str], Path], name: str) -> None:
    timeline = scan_timeline(clip(name))
    assert (timeline.width, timeline.height) == (128, 96)
    expected = decode_all(clip(name))
    assert {frame.width for frame in expected} == {128, 160}
    for target in (0.3, WHOLE):
        plans = plan_segments(timeline, target_seconds=target)
        frames = list(read_all(clip(name), timeline, plans))
        assert {frame.image.shape for frame in frames} == {(96, 128, 3)}
        assert [frame.pts for frame in frames] == [frame.pts for frame in expected]
        kept = [index for index, frame in enumerate(expected) if frame.width == 128]
        assert [digest(frames[index].image) for index in kept] == [expected[index].digest for index in kept]


@pytest.mark.parametrize("stride", [2, 7])
def test_a_stride_counts_from_the_start_of_the_video(clip: Callable[[str], Path], stride: int) -> None:
    path = clip("open_gop.mp4")
    timeline = scan_timeline(path)
    plans = plan_segments(timeline, target_seconds=0.3)
    expected = decode_all(path)
    frames = [
        frame for plan in plans for frame in read_frames(path, plan, timeline.time_base, frame_stride=stride)
    ]
    assert [frame.index for frame in frames] == list(range(0, 60, stride))
    assert [digest(frame.image) for frame in frames] == [expected[frame.index].digest for frame in frames]


def test_a_part_of_a_video_keeps_its_indices(clip: Callable[[str], Path]) -> None:
    path = clip("open_gop.mp4")
    timeline = scan_timeline(path)
    plans = plan_segments(timeline, target_seconds=0.3, start_seconds=0.5, end_seconds=1.5)
    expected = decode_all(path)
    frames = list(read_all(path, timeline, plans))
    assert [frame.index for frame in frames] == list(range(15, 45))
    assert [digest(frame.image) for frame in frames] == [frame.digest for frame in expected[15:45]]


def test_images_are_the_callers_own(clip: Callable[[str], Path]) -> None:
    path = clip("open_gop.mp4")
    timeline = scan_timeline(path)
    (plan,) = plan_segments(timeline, target_seconds=WHOLE)
    digests = []
    for frame in read_frames(path, plan, timeline.time_base):
        digests.append(digest(frame.image))
        frame.image[:] = 0
    assert digests == [frame.digest for frame in decode_all(path)]


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_wrong_promise_is_noticed(clip: Callable[[str], Path], difference: int) -> None:
    timeline = scan_timeline(clip("plain.mp4"), TimelineKind.FRAMES)
    (plan,) = plan_segments(timeline, target_seconds=WHOLE)
    wrong = SegmentPlan(**{**plan.__dict__, "frame_count": plan.frame_count + difference})
    with pytest.raises(TimelineMismatchError):
        list(read_frames(clip("plain.mp4"), wrong, timeline.time_base))


def test_damaged_packets_are_passed_over(clip: Callable[[str], Path], tmp_path: Path) -> None:
    content = bytearray(clip("plain.mkv").read_bytes())
    for position in range(len(content) // 3, len(content) // 3 + 3000, 7):
        content[position] ^= 0x55
    path = tmp_path / "damaged.mkv"
    path.write_bytes(content)
    timeline = scan_timeline(path, TimelineKind.SEQUENTIAL)
    assert 0 < timeline.frame_count <= 45
    (plan,) = plan_segments(timeline, target_seconds=1.0)
    assert len(list(read_frames(path, plan, timeline.time_base))) == timeline.frame_count
