"""The score says of real photos what makes them worse."""

import cv2
import numpy as np
import pytest

from media.chosen_frames import read_chosen_frames
from media.timeline import scan_timeline
from ml_models.crops import ARCFACE_TEMPLATE
from ml_models.face_chips import PORTRAIT_PIXELS, cut_chip, portrait
from ml_models.face_quality import LEAST_QUALITY, face_quality, frontalities, promise, sizes
from ml_models.factory import create_ml_model

PHOTOS = ("obama.jpg", "biden.jpg", "lin-manuel-miranda.png")


@pytest.fixture(scope="module")
def detector(weights_dir):
    return create_ml_model("yunet-2026may", weights_dir=weights_dir)


def largest_face(detector, image):
    found = detector.analyze([image])[0]
    best = int(np.argmax(found.area))
    return found.xyxy[best], found.data["landmarks"][best]


@pytest.fixture(params=PHOTOS)
def photo(request, media_dir):
    return cv2.imread(str(media_dir / request.param))


def score(detector, image) -> float:
    return face_quality(image, *largest_face(detector, image))


def blurred(image: np.ndarray, side: float, share: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), side * share)


def test_a_good_photo_is_good_and_worse_ones_are_worse(detector, photo):
    box, landmarks = largest_face(detector, photo)
    side = float(box[2] - box[0])
    good = face_quality(photo, box, landmarks)
    assert good > 0.9
    by_blur = [face_quality(blurred(photo, side, share), box, landmarks) for share in (0.01, 0.03, 0.08)]
    assert good >= by_blur[0] > by_blur[1] > by_blur[2]
    assert by_blur[2] < LEAST_QUALITY
    by_dark = [face_quality((photo * share).astype(np.uint8), box, landmarks) for share in (0.3, 0.2, 0.1)]
    assert good > by_dark[0] > by_dark[1] > by_dark[2]
    assert by_dark[0] > LEAST_QUALITY
    overexposed = np.clip(photo.astype(np.int64) * 3, 0, 255).astype(np.uint8)
    assert face_quality(overexposed, box, landmarks) < good
    factor = 50 / side
    small = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    assert LEAST_QUALITY < face_quality(small, box * factor, landmarks * factor) < good


def test_leaning_does_not_count_and_turning_away_does(detector, photo, media_dir):
    height, width = photo.shape[:2]
    (x1, y1, x2, y2), _ = largest_face(detector, photo)
    leaning = cv2.getRotationMatrix2D((float(x1 + x2) / 2, float(y1 + y2) / 2), 20, 1)
    assert score(detector, cv2.warpAffine(photo, leaning, (width, height))) > 0.85
    clip = media_dir / "short_hamilton_clip.mp4"
    (frame,) = read_chosen_frames(clip, [28], scan_timeline(clip))  # a large face in profile
    assert LEAST_QUALITY < score(detector, frame.image) < 0.75


def test_frontality_is_that_of_the_landmarks():
    turned = ARCFACE_TEMPLATE.copy()
    turned[2, 0] += 20
    looking_down = ARCFACE_TEMPLATE.copy()
    looking_down[2, 1] += 10
    mirrored = ARCFACE_TEMPLATE[[1, 0, 2, 4, 3]]
    one_point = np.full((5, 2), 7.0)
    front, side, down, back, none = frontalities(
        np.stack([ARCFACE_TEMPLATE, turned, looking_down, mirrored, one_point])
    )
    assert front > 0.85 > side > 0.2
    assert front > down
    assert (back, none) == (0, 0)


def test_without_pixels_a_face_cut_off_promises_less():
    box = np.array([[100.0, 100, 212, 212], [-56, 100, 56, 212], [100, 100, 105, 105], [0, 0, 0, 0]])
    none = np.zeros((4, 5, 2))
    whole, cut, tiny, empty = promise(box, none, np.zeros(4, bool), np.ones(4), (640, 360))
    assert (whole, cut) == (1, 0.25)
    assert (tiny, empty) == (0, 0)
    assert sizes(box).tolist() == pytest.approx([1, 1, 5 / 112, 0])


def test_a_portrait_shows_the_face_upright_in_its_middle(detector, photo):
    box, landmarks = largest_face(detector, photo)
    for points in (landmarks, None):
        picture = portrait(cut_chip(photo, box, points))
        assert picture.shape == (PORTRAIT_PIXELS, PORTRAIT_PIXELS, 3)
        found, _ = largest_face(detector, picture)
        assert np.abs((found[:2] + found[2:]) / 2 - PORTRAIT_PIXELS / 2).max() < 30
    assert cut_chip(photo, box + 10_000, None) is None


@pytest.mark.parametrize("degrees", [0, 40, -170])
def test_a_portrait_of_a_leaning_face_stands_upright(degrees):
    turn = cv2.getRotationMatrix2D((56, 56), degrees, 2.0)
    points = ARCFACE_TEMPLATE @ turn[:, :2].T + turn[:, 2] + 300
    image = np.zeros((700, 700, 3), np.uint8)
    for x, y in points:
        cv2.circle(image, (round(x), round(y)), 6, (255, 255, 255), -1)
    picture = portrait(cut_chip(image, np.array([256.0, 256, 456, 456]), points))
    for x, y in (ARCFACE_TEMPLATE - 56) * 1.3 + PORTRAIT_PIXELS / 2:
        assert picture[round(y), round(x), 0] > 200
    assert np.count_nonzero(picture[:, :, 0] > 128) < 5 * 100


def test_a_chip_is_described_as_its_frame_is(detector, photo):
    box, landmarks = largest_face(detector, photo)
    chip = cut_chip(photo, box, landmarks)
    assert max(chip.image.shape) < 2.5 * 160 * 1.5
    assert face_quality(chip.image, chip.box, chip.landmarks) == pytest.approx(
        face_quality(photo, box, landmarks), abs=0.05
    )
