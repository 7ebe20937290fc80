"""What createPeople takes is said before anything is started."""

import re

import pytest

from domain.analyses.models import Tracker
from domain.errors import InvalidError, ModelUnavailableError
from ml_models.catalog import find_spec
from ml_models.errors import UnknownModelError
from settings import Settings
from tasks.analyses import RequestedSettings, complete_settings
from tasks.face_embedding import FaceMatching, face_embedding_model

PEOPLE = {"ml_model": "yunet-2026may", "create_people": True}


async def complete(weights_dir, faces=None, **changes):
    requested = RequestedSettings(**{**PEOPLE, **changes})
    faces = faces or FaceMatching()
    return await complete_settings(requested, weights_dir, None, ("settings",), faces=faces)


async def test_people_are_created_and_created_again_only_if_asked(weights_dir):
    assert not (await complete(weights_dir, create_people=None)).create_people
    settings = await complete(weights_dir, labels=("face",))
    assert (settings.create_people, settings.recreate_people) == (True, False)
    assert (await complete(weights_dir, recreate_people=True)).recreate_people


@pytest.mark.parametrize(
    ("changes", "field", "advice"),
    [
        (
            {"ml_model": "opencv-haar-face"},
            "ml_model",
            "landmarks, which opencv-haar-face does not: choose one of yunet",
        ),
        ({"ml_model": "yolox-nano"}, "ml_model", "choose one of yunet-2026may, yunet-2023mar"),
        ({"tracker": Tracker.NONE}, "tracker", "choose a tracker"),
        ({"create_people": None, "recreate_people": True}, "recreate_people", "choose createPeople as well"),
        ({"faces": FaceMatching(is_on=False)}, "create_people", "switched off on this server: leave out"),
    ],
)
async def test_what_does_not_go_with_it_names_the_field_and_says_what_to_choose(
    weights_dir, changes, field, advice
):
    with pytest.raises(InvalidError, match=advice) as caught:
        await complete(weights_dir, **changes)
    assert caught.value.path == ("settings", field)


async def test_an_embedding_model_that_cannot_be_used_is_said_at_the_start(weights_dir):
    for name in ("facenet", "yunet-2026may", "person-reid-0288"):
        with pytest.raises(ModelUnavailableError, match=name) as caught:
            await complete(weights_dir, FaceMatching(embedding_model=name))
        assert caught.value.path == ("settings", "create_people")


async def test_a_model_that_needs_no_landmarks_takes_every_face_detector(weights_dir, monkeypatch):
    from dataclasses import replace

    box_embedder = replace(find_spec("mobilefacenet"), name="by-box", needs_landmarks=False)
    monkeypatch.setattr("tasks.analyses.default_face_embedder", lambda *_: box_embedder)
    assert (await complete(weights_dir, ml_model="opencv-haar-face")).create_people
    with pytest.raises(InvalidError, match="a model that finds faces, which yolox-nano does not") as caught:
        await complete(weights_dir, ml_model="yolox-nano")
    assert "opencv-haar-face" in caught.value.message


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "nope",
            "there is no model 'nope' that describes faces: there are dlib-resnet, mobilefacenet, sface (",
        ),
        ("sfaze", "there is no model 'sfaze' that describes faces: did you mean sface?"),
        ("yolox-nano", "yolox-nano does not describe faces: there are dlib-resnet, mobilefacenet, sface ("),
    ],
)
async def test_only_models_that_describe_faces_are_named(tmp_path, weights_dir, name, says):
    with pytest.raises(UnknownModelError, match=re.escape(says)) as caught:
        face_embedding_model(Settings(data_dir=tmp_path, face_embedding_model=name))
    assert str(caught.value).endswith("(setting FRAMEWISE_FACE_EMBEDDING_MODEL)")
    with pytest.raises(ModelUnavailableError) as refused:
        await complete(weights_dir, faces=FaceMatching(embedding_model=name))
    assert refused.value.message == f"Faces cannot be described: {caught.value}."


def test_faces_are_described_by_what_is_named_else_in_use_else_there(tmp_path, weights_dir):
    def chosen(used_before=None, **settings):
        return face_embedding_model(Settings(data_dir=tmp_path, **settings), used_before).name

    mirror = {"weights_mirror": str(weights_dir)}
    assert chosen() == "sface"
    assert chosen(**mirror) == chosen(weights_dir=weights_dir) == "mobilefacenet"
    assert chosen("sface", **mirror) == "sface"
    assert chosen("sface", **mirror, face_embedding_model="mobilefacenet") == "mobilefacenet"
