"""Pictures go as soon as they are done with; waiting for the garbage collector, large ones add up to gigabytes."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from media.drawing import OverlayBox
from media.frames import read_frames
from media.overlay import write_overlay
from media.probe import probe
from media.segments import plan_segments

BOX = OverlayBox(10, 10, 60, 60, "face", 0.9, 1)
DECODER_HOLDS = 8
"""Frames, at most, that a decoder or a generator keeps for a while."""


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def living_frames() -> int:
    return sum(isinstance(thing, VideoFrame) for thing in gc.get_objects())


@pytest.mark.parametrize("name", ["plain.mp4", "rotated_90.mp4", "odd_sized.mp4", "ten_bit.mp4"])
def test_frames_of_a_segment_do_not_pile_up(clip: Callable[[str], Path], no_collector: None, name: str):
    timeline = probe(clip(name)).timeline
    (plan,) = plan_segments(timeline, target_seconds=1e9)
    frames = read_frames(clip(name), plan, timeline.time_base)
    most = max(living_frames() for number, _ in enumerate(frames) if number % 10 == 9)
    assert most <= DECODER_HOLDS < timeline.frame_count


@pytest.mark.parametrize("name", ["plain.mp4", "rotated_90.mp4", "odd_sized.mp4", "ten_bit.mp4"])
def test_frames_of_an_overlay_do_not_pile_up(
    clip: Callable[[str], Path], tmp_path: Path, no_collector: None, name: str
):
    living: list[int] = []
    write_overlay(
        clip(name),
        tmp_path / "overlay.mp4",
        lambda _: [BOX],
        on_progress=lambda count: count % 10 == 9 and living.append(living_frames()),
    )
    assert max(living) <= DECODER_HOLDS < 10 * len(living)
