"""Faces of people known by name: the same person above a model's threshold, different ones below."""

import cv2
import numpy as np
import pytest

from ml_models.errors import ModelInputError
from ml_models.factory import create_embedder, create_ml_model
from ml_models.verification import verify
from tests.ml_models.clips import read_frames
from tests.ml_models.people import gather_people
from tests.ml_models.readiness import models_here

ALONE = (90, 126, 144, 162)
"""Frames of the clip that show Lin-Manuel Miranda alone, near and upright."""


@pytest.fixture(scope="module")
def people(media_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("people") / "photos"
    gather_people(media_dir, folder)
    return folder


@pytest.fixture(scope="module")
def yunet(weights_dir):
    return create_ml_model("yunet-2026may", weights_dir=weights_dir)


@pytest.fixture(
    scope="module",
    params=models_here(lambda spec: spec.task.value == "FACE_EMBEDDING"),
    ids=lambda spec: spec.name,
)
def embedder(request, weights_dir):
    return create_embedder(request.param.name, weights_dir=weights_dir)


def describe(embedder, yunet, image):
    (found,) = yunet.analyze([image])
    found = found[found.confidence >= 0.7]
    return found, embedder.embed(image, found.xyxy, found.data["landmarks"])


def test_photos_of_one_person_are_alike_and_those_of_two_are_not(embedder, yunet, people):
    outcome = verify(embedder, yunet, people)
    threshold = embedder.spec.same_similarity
    print(  # noqa: T201 - the margin is to be seen with -s
        f"{embedder.spec.name}: same from {outcome.same[0]:.3f}, different up to {outcome.different[0]:.3f}, "
        f"margin {outcome.margin:.3f}, threshold {threshold}"
    )
    assert (outcome.photos, outcome.people) == (11, 4)
    assert outcome.same[0] >= threshold > outcome.different[0]
    assert outcome.accuracy == 1


def test_both_in_one_photo_are_known_and_told_apart(embedder, yunet, media_dir):
    both, pair = describe(embedder, yunet, cv2.imread(str(media_dir / "two_people.jpg")))
    left, right = pair[np.argsort(both.xyxy[:, 0])]
    (obama,) = describe(embedder, yunet, cv2.imread(str(media_dir / "obama.jpg")))[1]
    (biden,) = describe(embedder, yunet, cv2.imread(str(media_dir / "biden.jpg")))[1]
    threshold = embedder.spec.same_similarity
    assert min(left @ obama, right @ biden) >= threshold > max(left @ right, left @ biden, right @ obama)


def test_a_photo_finds_its_person_in_a_clip(embedder, yunet, media_dir):
    """Of the faces in the clip only his own is like his photo; nobody in it is like Joe Biden."""
    references = {}
    for name in ("lin-manuel-miranda.png", "biden.jpg"):
        (references[name],) = describe(embedder, yunet, cv2.imread(str(media_dir / name)))[1]
    frames = read_frames(media_dir / "short_hamilton_clip.mp4", step=18)
    own, others, to_biden = [], [], []
    for index, frame in zip(range(0, 18 * len(frames), 18), frames, strict=True):
        for box, face in _faces(embedder, yunet, frame):
            if box[3] - box[1] < 60:
                continue
            to_biden.append(face @ references["biden.jpg"])
            (own if index in ALONE else others if not 90 <= index <= 207 else []).append(
                face @ references["lin-manuel-miranda.png"]
            )
    threshold = embedder.spec.same_similarity
    print(  # noqa: T201
        f"{embedder.spec.name}: own {min(own):.3f}, others {max(others):.3f}, Biden {max(to_biden):.3f}"
    )
    assert len(own) == len(ALONE)
    assert len(others) > 12
    assert min(own) >= threshold > max(*others, *to_biden)


def _faces(embedder, yunet, frame):
    found, faces = describe(embedder, yunet, frame)
    return zip(found.xyxy, faces, strict=True)


def test_what_cannot_be_compared_is_refused(embedder, yunet, people, tmp_path):
    (tmp_path / "nobody").mkdir()
    cv2.imwrite(str(tmp_path / "nobody" / "wall.png"), np.full((64, 64, 3), 200, np.uint8))
    with pytest.raises(ModelInputError, match="finds no face in"):
        verify(embedder, yunet, tmp_path)
    (tmp_path / "nobody" / "wall.png").write_text("a wall")
    with pytest.raises(ModelInputError, match="is no picture"):
        verify(embedder, yunet, tmp_path)
    (tmp_path / "nobody" / "wall.png").unlink()
    with pytest.raises(ModelInputError, match="needs subfolders of two people"):
        verify(embedder, yunet, tmp_path)
