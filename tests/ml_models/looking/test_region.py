"""Only what has its centre in the polygon counts, whatever part of the frame the model was given."""

import numpy as np
import pytest
import supervision as sv

from ml_models.looking.region import SMALLEST_SIDE, Region

TRIANGLE = [(0, 0), (1, 0), (0, 1)]
CORNER = [(0.8, 0.8), (1, 0.8), (1, 1), (0.8, 1)]


def detections(boxes) -> sv.Detections:
    boxes = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    return sv.Detections(
        xyxy=boxes,
        confidence=np.linspace(0.9, 0.5, len(boxes), dtype=np.float32),
        class_id=np.zeros(len(boxes), dtype=int),
        data={"landmarks": boxes.reshape(-1, 2, 2), "class_name": np.array(["thing"] * len(boxes))},
    )


def test_centres_decide():
    region = Region(TRIANGLE, 1000, 500)
    assert region.part is None
    kept = region.kept(
        detections([[0, 0, 900, 480], [600, 300, 900, 480], [400, 200, 600, 300], [990, 0, 1000, 1]])
    )
    assert kept.xyxy.tolist() == [[0, 0, 900, 480], [400, 200, 600, 300], [990, 0, 1000, 1]]
    assert kept.data["class_name"].tolist() == ["thing"] * 3
    assert len(region.kept(sv.Detections.empty())) == 0


def test_a_small_region_is_cut_out_and_its_detections_are_put_back():
    region = Region(CORNER, 4000, 2000)
    left, top, right, bottom = region.part
    assert (right, bottom) == (4000, 2000)
    assert 3000 < left < 3200
    assert top <= 1600 - 0.1 * 400 + 1
    frame = np.zeros((2000, 4000, 3), dtype=np.uint8)
    frame[1700, 3500] = 255
    image = region.cut(frame)
    assert image.shape == (bottom - top, right - left, 3)
    (y,), (x,) = np.nonzero(image[:, :, 0])
    box = [x - 10, y - 10, x + 10, y + 10]
    kept = region.kept(detections([box, [0, 0, 10, 10]]))
    assert kept.xyxy.tolist() == [[3490, 1690, 3510, 1710]]
    assert kept.data["landmarks"].tolist() == [[[3490, 1690], [3510, 1710]]]


def test_a_model_is_given_surroundings():
    region = Region([(0.5, 0.5), (0.501, 0.5), (0.5, 0.501)], 4000, 2000)
    left, top, right, bottom = region.part
    assert min(right - left, bottom - top) >= SMALLEST_SIDE


@pytest.mark.parametrize(("width", "height"), [(200, 100), (1, 1)])
def test_small_frames_are_looked_at_whole(width, height):
    region = Region(CORNER, width, height)
    frame = np.zeros((height, width, 3), dtype=np.uint8)
    assert region.cut(frame) is frame


def test_the_mask_covers_what_the_polygon_touches():
    mask = Region(CORNER, 4000, 2000).mask(10, 10)
    assert mask.sum() == 4
    assert mask[8:, 8:].all()
    assert Region([(0, 0), (0.01, 0), (0, 0.01)], 100, 100).mask(10, 10).sum() == 1
    assert Region([(1, 1), (1, 0.99), (0.99, 1)], 100, 100).mask(10, 10).sum() == 1
