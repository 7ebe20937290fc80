"""Colours and the way up."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from media.frames import read_frames
from media.orientation import Orientation
from media.picture import turn
from media.segments import plan_segments
from media.timeline import scan_timeline
from tests import samples

EXACT_WITHIN = 4
"""Levels: rounding to 8-bit YUV costs up to 1, FFmpeg's fast conversion up to 3."""


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("color_range", [samples.LIMITED_RANGE, samples.FULL_RANGE])
@pytest.mark.parametrize("colorspace", [samples.BT601, samples.BT709])
def test_colours_are_right(tmp_path: Path, colorspace: int, color_range: int, pixel_format: str) -> None:
    path = samples.make_color_bars(tmp_path / "bars.mp4", colorspace, color_range, pixel_format)
    timeline = scan_timeline(path)
    (plan,) = plan_segments(timeline, target_seconds=1e9)
    frame = next(iter(read_frames(path, plan, timeline.time_base)))
    centers = frame.image[16, samples.BAR_WIDTH // 2 :: samples.BAR_WIDTH, ::-1].astype(int)
    assert np.abs(centers - np.array(samples.COLORS)).max() <= EXACT_WITHIN


@pytest.mark.parametrize(
    ("name", "turned"),
    [
        ("rotated_90.mp4", lambda image: np.rot90(image, 1)),
        ("rotated_180.mov", lambda image: np.rot90(image, 2)),
        ("rotated_270.mp4", lambda image: np.rot90(image, 3)),
        ("mirrored.mp4", lambda image: image[:, ::-1]),
    ],
)
def test_the_display_matrix_is_followed(
    clip: Callable[[str], Path], name: str, turned: Callable[[np.ndarray], np.ndarray]
) -> None:
    images = []
    for path in (clip("plain.mp4"), clip(name)):
        timeline = scan_timeline(path)
        (plan,) = plan_segments(timeline, target_seconds=1e9)
        images.append(next(iter(read_frames(path, plan, timeline.time_base))).image)
        assert images[-1].shape == (timeline.height, timeline.width, 3)
    assert np.array_equal(images[1], turned(images[0]))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("flipped_x", [False, True])
@pytest.mark.parametrize("flipped_y", [False, True])
def test_all_eight_orientations(transposed: bool, flipped_x: bool, flipped_y: bool) -> None:
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    expected = image.transpose(1, 0, 2) if transposed else image
    expected = expected[:: -1 if flipped_y else 1, :: -1 if flipped_x else 1]
    orientation = Orientation(transposed, flipped_x, flipped_y)
    assert np.array_equal(turn(image, orientation), expected)
    assert orientation.display_size(7, 5) == (expected.shape[1], expected.shape[0])


@pytest.mark.parametrize(
    ("orientation", "degrees"),
    [
        (Orientation(), 0),
        (Orientation(transposed=True, flipped_x=True), 90),
        (Orientation(flipped_x=True, flipped_y=True), 180),
        (Orientation(transposed=True, flipped_y=True), 270),
    ],
)
def test_rotation_is_clockwise(orientation: Orientation, degrees: int) -> None:
    assert orientation.rotation_degrees == degrees
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(turn(image, orientation), np.rot90(image, -degrees // 90))
