"""Masks stay on what they cover, whatever part of the frame the model was given."""

import numpy as np
import pytest
import supervision as sv

from media.masks import MaskRuns, runs_of_each
from ml_models.base import MASK_RUNS
from ml_models.looking.partners import between, partners
from ml_models.looking.region import Region
from ml_models.looking.tiling import Tiles
from tests.tasks.shape_finder import shapes_in

WIDTH, HEIGHT = 900, 500


def look(image: np.ndarray) -> sv.Detections:
    """Shapes with masks as models of analyses give them."""
    found = shapes_in(image)
    found.data[MASK_RUNS] = runs_of_each(found.mask)
    found.mask = None
    return found


def pixels(runs: MaskRuns) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    x, y, crop = runs.crop()
    mask[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    return mask


def frame(*places: tuple[int, int]) -> np.ndarray:
    """With a triangle at each place."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for x, y in places:
        image[y : y + 20, x : x + 20] = np.tri(20, dtype=np.uint8)[:, :, None] * 255
    return image


def test_tiles_put_masks_where_they_are() -> None:
    image = frame((30, 40), (312, 20), (612, 100), (618, 400), (877, 480))
    found = Tiles(look, 320, 0.3)(image)
    assert len(found) == 5
    together = sum(pixels(one).astype(int) for one in found.data[MASK_RUNS])
    assert (together == (image[:, :, 0] > 0)).all()
    for box, runs in zip(found.xyxy, found.data[MASK_RUNS], strict=True):
        assert runs.crop()[:2] == tuple(box[:2])
    assert not [name for name in found.data if "corner" in name]


def test_a_region_puts_masks_where_they_are() -> None:
    region = Region([(0.8, 0.8), (1, 0.8), (1, 1)], WIDTH, HEIGHT)
    assert region.part is not None
    image = frame((860, 420), (700, 300))
    (runs,) = region.kept(look(region.cut(image))).data[MASK_RUNS]
    assert (pixels(runs) == (frame((860, 420))[:, :, 0] > 0)).all()


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_between_two_looks_masks_are_on_the_way(share: float) -> None:
    first, second = look(frame((100, 60), (300, 300))), look(frame((102, 58), (300, 300)))
    pairs = partners(first, second, 0.0)
    found = between(first, second, pairs, share)
    moved = round(2 * share)
    expected = frame((100 + moved, 60 - moved), (300, 300))[:, :, 0] > 0
    assert (sum(pixels(one).astype(int) for one in found.data[MASK_RUNS]) == expected).all()
