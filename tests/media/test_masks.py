"""Masks as runs, and as COCO's own code reads and writes them."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from media.masks import MaskRuns, runs_of_each
from tests.ml_models.clips import read_frames

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""pycocotools 2 is older than numpy 2."""


def in_coco(mask):
    """What pycocotools makes of it."""
    encoded = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def drawn(runs, width, height):
    canvas = np.zeros((height, width), bool)
    x, y, pixels = runs.crop()
    canvas[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
    return canvas


def blobs(seed, width=160, height=90):
    """Something with holes and several pieces, that may touch every edge."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    kernel = np.ones(9) / 9
    for axis in (0, 1):
        noise = np.apply_along_axis(np.convolve, axis, noise, kernel, mode="same")
    return noise > 0


HAND_MADE = {
    "nothing": np.zeros((4, 5)),
    "all": np.ones((4, 5)),
    "one pixel": np.pad([[1]], ((2, 1), (3, 1))),
    "the first pixel": np.pad([[1]], ((0, 3), (0, 4))),
    "the last pixel": np.pad([[1]], ((3, 0), (4, 0))),
    "whole columns": np.tile([0, 1, 1, 0, 1], (4, 1)),
    "whole rows": np.tile([[1], [0], [1], [1]], (1, 5)),
    "chess": np.indices((6, 7)).sum(axis=0) % 2,
    "a row": np.ones((1, 9)),
    "a column": np.ones((9, 1)),
    "large": np.kron(np.eye(3), np.ones((700, 900))),
}


@pytest.mark.parametrize("mask", HAND_MADE.values(), ids=HAND_MADE)
def test_hand_made_masks_are_written_and_read_as_pycocotools_does(mask):
    assert_agrees(mask.astype(bool))


@pytest.mark.parametrize("seed", range(8))
def test_blobs_are_written_and_read_as_pycocotools_does(seed):
    assert_agrees(blobs(seed))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
def test_random_masks_are_written_and_read_as_pycocotools_does(seed, width, height, share):
    assert_agrees(np.random.default_rng(seed).random((height, width)) < share)


def assert_agrees(mask):
    height, width = mask.shape
    runs = MaskRuns.of(mask)
    assert runs.area == mask.sum()
    encoded = runs.to_rle(width, height)
    assert encoded == in_coco(mask)
    assert (coco.decode(encoded) == mask).all()
    again = MaskRuns.from_rle(encoded)
    assert again.area == mask.sum()
    assert (drawn(again, width, height) == mask).all()
    assert (drawn(runs, width, height) == mask).all()
    assert again.to_rle(width, height) == encoded


@pytest.mark.parametrize(("x", "y"), [(0, 0), (7, 3), (-30, 20), (100, -50), (-160, 0), (0, 90)])
def test_a_moved_mask_is_cut_at_the_edges(x, y):
    mask = blobs(1)
    height, width = mask.shape
    padded = np.pad(mask, ((90, 90), (160, 160)))
    expected = padded[90 - y : 180 - y, 160 - x : 320 - x]
    assert (coco.decode(MaskRuns.of(mask).moved(x, y).to_rle(width, height)) == expected).all()


def test_a_part_of_a_picture_becomes_a_mask_of_the_whole():
    mask = blobs(2, 40, 30)
    whole = np.zeros((200, 300), bool)
    whole[100:130, 250:290] = mask
    assert MaskRuns.of(mask).moved(250, 100).to_rle(300, 200) == in_coco(whole)


def test_each_mask_has_its_runs():
    masks = np.stack([blobs(1), np.zeros((90, 160), bool), blobs(2)])
    runs = runs_of_each(masks)
    assert (runs.shape, runs.dtype) == ((3,), object)
    assert [one.area for one in runs] == masks.sum(axis=(1, 2)).tolist()
    assert runs_of_each(np.zeros((0, 90, 160), bool)).shape == (0,)


def test_masks_of_real_pictures_are_written_and_read_as_pycocotools_does(media_dir):
    for image in read_frames(media_dir / "short_hamilton_clip.mp4", limit=3):
        assert_agrees(image.mean(axis=2) > image.mean())


def test_many_masks_of_a_large_frame_take_little_memory():
    masks = np.zeros((50, 1080, 1920), bool)
    for place, mask in enumerate(masks):
        mask[place : place + 300, 10 * place : 10 * place + 200] = True
    tracemalloc.start()
    runs = runs_of_each(masks)
    texts = [one.to_rle(1920, 1080)["counts"] for one in runs]
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert min(map(len, texts)) > 5
    assert kept < masks.nbytes / 100
    assert peak < masks.nbytes / 50
