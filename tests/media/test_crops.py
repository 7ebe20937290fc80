"""Crops are cut out of the right frames, whatever the file is like."""

import zipfile
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from media.crops import Crop, cut_out, write_crops
from media.timeline import TimelineKind, scan_timeline


def read_crops(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        return {
            name: cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR)
            for name in archive.namelist()
        }


@pytest.mark.parametrize("kind", [TimelineKind.PACKETS, TimelineKind.SEQUENTIAL])
def test_only_what_is_needed_is_decoded_and_it_is_the_right_frame(kind, media_dir, tmp_path):
    clip = media_dir / "short_hamilton_clip.mp4"
    timeline = scan_timeline(clip, kind)
    wanted = [timeline.frame_count - 1, 3, 17, 3, 120]
    crops = [
        Crop(index, (10.0 + number, 20.0, 210.0, 180.0), f"a/{number}.jpg")
        for number, index in enumerate(wanted)
    ]
    packets: list[None] = []
    write_crops(
        clip, tmp_path / "crops.zip", crops, timeline=timeline, on_packet=lambda: packets.append(None)
    )
    pictures = read_crops(tmp_path / "crops.zip")
    assert list(pictures) == ["a/1.jpg", "a/3.jpg", "a/2.jpg", "a/4.jpg", "a/0.jpg"]
    with av.open(str(clip)) as container:
        frames = dict(enumerate(frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)))
    for number, index in enumerate(wanted):
        expected = frames[index][20:180, 10 + number : 210]
        picture = pictures[f"a/{number}.jpg"]
        assert picture.shape == expected.shape
        assert np.abs(picture.astype(float) - expected).mean() < 4


def test_nothing_wanted_is_an_empty_zip_and_reads_nothing(media_dir, tmp_path):
    clip = media_dir / "short_hamilton_clip.mp4"
    timeline = scan_timeline(clip)
    write_crops(clip, tmp_path / "crops.zip", [], timeline=timeline, on_packet=pytest.fail)
    assert read_crops(tmp_path / "crops.zip") == {}


@pytest.mark.parametrize(
    ("corners", "size"),
    [
        ((1.5, 2.5, 4.5, 5.5), (4, 4)),
        ((-5, -5, 3, 4), (4, 3)),
        ((8, 6, 50, 50), (2, 2)),
        ((20, 0, 30, 5), None),
        ((3, 3, 3, 5), None),
    ],
)
def test_a_box_is_cut_at_the_frame_and_rounded_outward(corners, size):
    picture = cut_out(np.zeros((8, 10, 3), np.uint8), corners)
    assert (None if picture is None else picture.shape[:2]) == size
