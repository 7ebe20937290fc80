"""Outlines follow the edge of a mask's largest piece."""

import cv2
import numpy as np
import pytest

from media.masks import MaskRuns
from media.outlines import outline

SIZE = 120


def filled(corners) -> np.ndarray:
    """The pixels whose middle lies in the polygon."""
    canvas = np.zeros((SIZE * 8, SIZE * 8), np.uint8)
    cv2.fillPoly(canvas, [np.rint(np.array(corners) * 8).astype(np.int32)], 1)
    return canvas[4::8, 4::8].astype(bool)


def disc(x: int, y: int, radius: int) -> np.ndarray:
    rows, columns = np.ogrid[:SIZE, :SIZE]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


@pytest.mark.parametrize("radius", [1, 3, 10, 40])
def test_it_covers_what_the_mask_covers(radius):
    mask = disc(60, 50, radius)
    found = filled(outline(MaskRuns.of(mask)))
    assert (found & mask).sum() / (found | mask).sum() > (0.6 if radius < 3 else 0.85)
    edge = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3))) - cv2.erode(
        mask.astype(np.uint8), np.ones((3, 3))
    )
    assert not (found ^ mask)[edge == 0].any()


def test_the_largest_piece_counts_without_its_holes():
    large, small = disc(40, 40, 20), disc(90, 90, 10)
    assert (filled(outline(MaskRuns.of((large & ~disc(40, 40, 8)) | small))) & small).sum() == 0
    assert outline(MaskRuns.of((large & ~disc(40, 40, 8)) | small)) == outline(MaskRuns.of(large))


@pytest.mark.parametrize("x", [0, SIZE - 20])
def test_it_reaches_the_edges_of_the_picture(x):
    mask = np.zeros((SIZE, SIZE), bool)
    mask[30:50, x : x + 20] = True
    corners = np.array(outline(MaskRuns.of(mask)))
    assert corners.min(axis=0) == pytest.approx([x, 30], abs=0.2)
    assert corners.max(axis=0) == pytest.approx([x + 20, 50], abs=0.2)


def test_nothing_has_no_outline():
    assert outline(MaskRuns.of(np.zeros((5, 5)))) == []
