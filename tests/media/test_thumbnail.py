from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from media.thumbnail import representative_image, thumbnail_jpeg
from media.timeline import scan_timeline
from tests import samples


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1280, 720), (480, 270)), ((720, 1280), (270, 480)), ((100, 60), (100, 60)), ((4000, 1), (480, 1))],
)
def test_thumbnails_fit(size: tuple[int, int], expected: tuple[int, int]) -> None:
    image = samples.frame_image(1, *size)
    jpeg = thumbnail_jpeg(image)
    assert jpeg.startswith(b"\xff\xd8")
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert (decoded.shape[1], decoded.shape[0]) == expected


def test_a_black_beginning_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = samples.frame_image

    def fade_in(index: int, width: int, height: int) -> np.ndarray:
        return pictures(index, width, height) * np.uint8(index >= 12)

    monkeypatch.setattr(samples, "frame_image", fade_in)
    path = samples.make_plain(tmp_path / "dark.mp4", frame_count=90)
    assert representative_image(path, scan_timeline(path)).std() > 20


@pytest.mark.parametrize(
    "name", ["rotated_90.mp4", "animated.gif", "one_frame.mp4", "raw.h264", "intra_refresh.mp4"]
)
def test_every_kind_of_video_has_one(clip: Callable[[str], Path], name: str) -> None:
    timeline = scan_timeline(clip(name))
    image = representative_image(clip(name), timeline)
    assert image.shape == (timeline.height, timeline.width, 3)
    assert image.std() > 20
