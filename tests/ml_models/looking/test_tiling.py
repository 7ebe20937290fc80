"""Tiles find what is too small in the frame as a whole, once each, in the frame's own pixels."""

import cv2
import numpy as np
import pytest
import supervision as sv

from ml_models.factory import create_ml_model
from ml_models.looking.tiling import Tiles

SQUARES = [(30, 40), (300, 20), (612, 100), (618, 400), (900, 500)]
"""Top left corners of squares of 20 pixels; two lie where tiles overlap."""


def drawn() -> np.ndarray:
    frame = np.zeros((600, 1000, 3), dtype=np.uint8)
    for x, y in SQUARES:
        frame[y : y + 20, x : x + 20] = 255
    return frame


def look(image: np.ndarray) -> sv.Detections:
    """Finds the white squares of an image that is not larger than a tile, with their corners as landmarks."""
    if image.shape[1] > 640:
        return sv.Detections.empty()
    count, _, stats, _ = cv2.connectedComponentsWithStats(image[:, :, 0])
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h, _ in stats[1:]], dtype=np.float32).reshape(-1, 4)
    return sv.Detections(
        xyxy=boxes,
        confidence=(stats[1:, 4] / 400).astype(np.float32) if count > 1 else np.empty(0, np.float32),
        class_id=np.zeros(count - 1, dtype=int),
        data={"landmarks": boxes.reshape(-1, 2, 2), "class_name": np.array(["square"] * (count - 1))},
    )


def test_what_lies_in_several_tiles_is_found_once():
    found = Tiles(look, 640, 0.2)(drawn())
    expected = sorted([x, y, x + 20, y + 20] for x, y in SQUARES)
    assert sorted(found.xyxy.tolist()) == expected
    assert found.data["landmarks"].reshape(-1, 4).tolist() == found.xyxy.tolist()
    assert set(found.data["class_name"]) == {"square"}
    assert (np.diff(found.confidence) <= 0).all()


def test_without_overlap_a_cut_thing_is_two():
    frame = np.zeros((600, 1000, 3), dtype=np.uint8)
    frame[100:120, 630:650] = 255
    assert len(Tiles(look, 640, 0)(frame)) == 2
    assert len(Tiles(look, 640, 0.2)(frame)) == 1


def test_a_frame_no_larger_than_a_tile_is_looked_at_once():
    calls = []

    def counted(image: np.ndarray) -> sv.Detections:
        calls.append(image.shape)
        return look(image)

    frame = drawn()[:, :640]
    assert Tiles(counted, 640, 0.2)(frame).xyxy.tolist() == look(frame).xyxy.tolist()
    assert calls == [(600, 640, 3)]


def test_what_is_larger_than_a_tile_is_found_in_the_whole():
    whole = sv.Detections(
        xyxy=np.array([[0, 0, 900, 600]], dtype=np.float32),
        confidence=np.array([0.7], dtype=np.float32),
        class_id=np.array([0]),
        data={"class_name": np.array(["crowd"])},
    )
    found = Tiles(lambda image: whole if image.shape[1] > 640 else sv.Detections.empty(), 640, 0.2)(drawn())
    assert found.xyxy.tolist() == [[0, 0, 900, 600]]
    assert len(Tiles(lambda image: sv.Detections.empty(), 640, 0.2)(drawn())) == 0


@pytest.mark.parametrize("name", ["yunet-2026may", "opencv-haar-face"])
def test_small_faces_are_found_in_tiles_and_always_the_same(media_dir, weights_dir, name):
    model = create_ml_model(name, weights_dir=weights_dir)
    photo = cv2.imread(str(media_dir / "two_people.jpg"))
    small = cv2.resize(
        photo, None, fx=480 / photo.shape[1], fy=480 / photo.shape[1], interpolation=cv2.INTER_AREA
    )
    frame = np.full((2200, 3200, 3), 127, dtype=np.uint8)
    frame[1200 : 1200 + small.shape[0], 1900 : 1900 + small.shape[1]] = small

    def detect(image: np.ndarray) -> sv.Detections:
        return model.analyze([image])[0]

    tiles = Tiles(detect, 640, 0.3)
    found = tiles(frame)
    sure = found[found.confidence >= 0.6]
    (alone,) = model.analyze([small])
    assert len(alone) >= 2
    near = (np.abs(sure.xyxy[:, None] - (alone.xyxy[:2] + [1900, 1200] * 2)).max(axis=2) < 12).any(axis=0)
    assert near.all()
    again = tiles(frame)
    assert again.xyxy.tobytes() == found.xyxy.tobytes()
    assert again.confidence.tobytes() == found.confidence.tobytes()
