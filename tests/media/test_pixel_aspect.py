"""Videos whose pixels are not square, as those of DVDs and camcorders."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from media.frames import read_frames
from media.overlay import OverlayBox, write_overlay
from media.probe import probe
from media.segments import plan_segments
from media.thumbnail import representative_image
from media.timeline import Timeline, scan_timeline
from tests import samples


def make_anamorphic(
    path: Path, aspect: Fraction, size: tuple[int, int] = (144, 116), rotation_degrees: int = 0
) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p" if size[0] % 2 else "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        if rotation_degrees:
            stream.set_display_rotation(rotation_degrees)
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(samples.frame_image(index, *size), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "aspect", "size", "rotation", "shown"),
    [
        ("wide.mp4", Fraction(16, 11), (720, 576), 0, Fraction(16, 11)),
        ("wide.mkv", Fraction(16, 11), (144, 116), 0, Fraction(16, 11)),
        ("wide.ts", Fraction(16, 11), (144, 116), 0, Fraction(16, 11)),
        ("wide.h264", Fraction(16, 11), (144, 116), 0, Fraction(16, 11)),
        ("narrow.mp4", Fraction(8, 9), (144, 96), 0, Fraction(8, 9)),
        ("half.mp4", Fraction(16, 11), (144, 116), 180, Fraction(16, 11)),
        ("left.mp4", Fraction(16, 11), (144, 116), 90, Fraction(11, 16)),
        ("right.mp4", Fraction(16, 11), (144, 116), -90, Fraction(11, 16)),
        ("odd.mp4", Fraction(4, 3), (101, 75), 0, Fraction(4, 3)),
        ("odd_left.mp4", Fraction(4, 3), (101, 75), 90, Fraction(3, 4)),
        ("square.mp4", Fraction(1), (144, 116), 0, Fraction(1)),
        ("unknown.mp4", Fraction(0), (144, 116), 0, Fraction(1)),
    ],
)
def test_pixels_stay_and_the_shape_is_passed_on(
    tmp_path: Path, name: str, aspect: Fraction, size: tuple[int, int], rotation: int, shown: Fraction
) -> None:
    source = make_anamorphic(tmp_path / name, aspect, size, rotation)
    result = probe(source)
    width, height = size if rotation % 180 == 0 else size[::-1]
    assert (result.width, result.height) == (width, height)
    timeline = Timeline.from_bytes(result.timeline.to_bytes())
    assert timeline.pixel_aspect == shown
    (plan,) = plan_segments(timeline, target_seconds=1e9)
    for frame in read_frames(source, plan, timeline.time_base):
        assert frame.image.shape == (height, width, 3)

    path = tmp_path / "overlay.mp4"
    write_overlay(source, path, lambda index: [OverlayBox(10, 10, 40, 40, "face", 0.9)], timeline=timeline)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (width + width % 2, height + height % 2)
        assert (stream.sample_aspect_ratio or 1) == shown
        next(container.decode(stream))
        assert (stream.codec_context.sample_aspect_ratio or 1) == shown  # in the H.264 stream itself
    assert (b"pasp" in path.read_bytes()) is (shown != 1)

    thumbnail = representative_image(source, timeline)
    assert thumbnail.shape[1] / thumbnail.shape[0] == pytest.approx(float(width * shown / height), rel=0.02)
    assert thumbnail.shape[0] <= height
    assert thumbnail.shape[1] <= width
    assert thumbnail.std() > 20


def test_an_absurd_shape_does_no_harm(tmp_path: Path) -> None:
    source = make_anamorphic(tmp_path / "absurd.mp4", Fraction(4000, 1))
    timeline = scan_timeline(source)
    assert min(representative_image(source, timeline).shape[:2]) >= 1
    write_overlay(source, tmp_path / "overlay.mp4", lambda index: [])
    assert np.isclose(probe(tmp_path / "overlay.mp4").duration_seconds, timeline.duration_seconds)
