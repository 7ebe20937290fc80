"""The brightness of a frame without its colours."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from media.frames import decode_frames
from media.segments import plan_segments
from media.timeline import scan_timeline


@pytest.mark.parametrize(
    "name", ["plain.mp4", "rotated_90.mp4", "mirrored.mp4", "ten_bit.mp4", "yuv444.mp4", "full_range.mp4"]
)
def test_it_is_the_picture_in_grey_made_small(clip: Callable[[str], Path], name: str) -> None:
    timeline = scan_timeline(clip(name))
    (plan,) = plan_segments(timeline, target_seconds=1e9)
    size = (plan.width // 8, plan.height // 8)
    for frame in list(decode_frames(clip(name), plan, timeline.time_base))[::20]:
        luma = frame.luma(*size)
        assert (luma.shape, luma.dtype) == (size[::-1], np.uint8)
        grey = cv2.resize(cv2.cvtColor(frame.image(), cv2.COLOR_BGR2GRAY), size, interpolation=cv2.INTER_AREA)
        # The two differ by the range of levels, which is monotonous: what is bright is bright in both.
        assert np.corrcoef(luma.ravel(), grey.ravel())[0, 1] > 0.99
