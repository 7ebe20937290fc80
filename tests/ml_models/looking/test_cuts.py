"""Cuts in real clips, whose shots somebody looked at."""

import av
import cv2
import numpy as np
import pytest

from ml_models.looking.cuts import GRID, CutFinder, is_cut


def lumas(path, step=1):
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % step == 0:
                grey = frame.to_ndarray(format="gray8")
                yield index, cv2.resize(grey, GRID, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("clip", "cuts"),
    [
        ("short_hamilton_clip.mp4", [20, 82, 211]),  # with fast pans between them
        ("nasa_13013.mp4", [202]),
        ("gestures/walk.mkv", []),
    ],
)
def test_cuts_are_found_where_the_eye_sees_them(media_dir, clip, cuts):
    finder = CutFinder()
    for index, luma in lumas(media_dir / clip):
        finder.add(index, luma)
    assert finder.frame_indices == cuts


def test_between_two_halves_the_edges_tell(media_dir):
    frames = list(lumas(media_dir / "short_hamilton_clip.mp4"))
    halves = CutFinder(), CutFinder()
    for index, luma in frames:
        halves[index >= 82].add(index, luma)
    assert [half.frame_indices for half in halves] == [[20], [211]]
    assert is_cut(halves[0].edges[1], halves[1].edges[0])
    assert CutFinder().edges is None


def test_more_light_on_the_same_is_no_cut():
    chance = np.random.default_rng(0)
    dark = chance.integers(20, 90, (36, 64)).astype(np.uint8)
    assert not is_cut(dark, dark + 100)
    assert is_cut(dark, chance.integers(100, 180, (36, 64)).astype(np.uint8))
    assert is_cut(np.zeros((36, 64), np.uint8), np.full((36, 64), 255, np.uint8))
