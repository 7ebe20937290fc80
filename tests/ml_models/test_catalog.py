import dataclasses
import subprocess
import sys

import pytest

from ml_models.catalog import CATALOG, MLModelSpec, MLTask, all_specs, find_spec
from ml_models.errors import UnknownModelError, UnknownOptionError
from ml_models.extras import EXTRAS, Extra
from ml_models.factory import create_ml_model, default_model, merged_options


def test_names_are_unique_and_the_labels_those_people_know():
    assert len(all_specs()) >= len(CATALOG) == len({spec.name for spec in CATALOG})
    for spec in CATALOG:
        if spec.task is MLTask.FACE_DETECTION:
            assert spec.labels == ("face",)
        if spec.task is MLTask.PERSON_DETECTION:
            assert spec.labels == ("person",)
        assert spec.training_data
        assert spec.known_limits


def test_a_wrong_name_is_told_what_comes_near():
    with pytest.raises(UnknownModelError, match=r"no model 'yunet-2026': did you mean yunet-2026may"):
        find_spec("yunet-2026")
    with pytest.raises(UnknownModelError, match="did you mean yolox-nano"):
        find_spec("YOLOX_nano")
    with pytest.raises(
        UnknownModelError, match=r"there are dlib-hog-face, .*, opencv-haar-face, .*, yolox-nano"
    ):
        find_spec("zzz")


def test_a_wrong_option_is_told_what_comes_near(weights_dir):
    with pytest.raises(UnknownOptionError, match=r"no option 'longest_sid': did you mean longest_side\?"):
        create_ml_model("opencv-haar-face", weights_dir=weights_dir, options={"longest_sid": 320})
    assert merged_options(find_spec("opencv-haar-face"), {"longest_side": 320}) == {"longest_side": 320}


def test_the_default_is_the_best_face_detector_that_is_ready(weights_dir, tmp_path):
    assert default_model(tmp_path).name == "opencv-haar-face"
    assert default_model(tmp_path, str(weights_dir)).name == "yunet-2026may"
    assert default_model(weights_dir).name == "yunet-2026may"
    assert default_model(tmp_path, "https://mirror.example.org/weights").name == "opencv-haar-face"
    older = find_spec("yunet-2023mar").weights.file_name
    (tmp_path / older).symlink_to(weights_dir / older)
    assert default_model(tmp_path).name == "yunet-2023mar"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"implementation": "ml_models.other:Class"},
        {"revision": 2},
        {"labels": ("head",)},
        {"floor_confidence": 0.2},
        {"options": {"longest_side": 320}},
        {"weights": dataclasses.replace(find_spec("yunet-2026may").weights, sha256="0" * 64)},
        {"packaged_files": find_spec("dlib-resnet").packaged_files},
    ],
)
def test_the_fingerprint_changes_with_what_changes_detections(change):
    spec = find_spec("yunet-2026may")
    assert dataclasses.replace(spec, **change).fingerprint() != spec.fingerprint()


def test_a_model_is_installed_when_all_modules_of_its_extra_are_there(monkeypatch):
    spec = find_spec("dlib-hog-face")
    assert find_spec("yolox-nano").is_installed
    monkeypatch.setitem(EXTRAS, "dlib", Extra("dlib", ("numpy", "json"), "…"))
    assert spec.is_installed
    monkeypatch.setitem(EXTRAS, "dlib", Extra("dlib", ("numpy", "no_such_module"), "…"))
    assert not spec.is_installed


def test_the_fingerprint_does_not_change_with_the_rest():
    spec = find_spec("yunet-2026may")
    other = dataclasses.replace(spec, description="…", default_confidence=0.7, license="GPL-3.0-only")
    assert other.fingerprint() == spec.fingerprint() == spec.fingerprint(dict(spec.options))
    assert spec.fingerprint({"longest_side": 320}) != spec.fingerprint()


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": ()},
        {"labels": ("a", "a")},
        {"floor_confidence": 0.6},
        {"default_confidence": 1.1},
        {"implementation": "module.Class"},
        {"requires_extra": "no-such-extra"},
    ],
)
def test_a_spec_that_cannot_be_right_is_refused(wrong):
    fields = {
        "name": "x",
        "task": MLTask.OBJECT_DETECTION,
        "labels": ("a",),
        "description": "",
        "license": "MIT",
    }
    with pytest.raises(ValueError, match="model x"):
        MLModelSpec(**{**fields, "implementation": "module:Class", **wrong})


def test_the_api_process_can_read_it_without_anything_heavy(tmp_path):
    """The catalogue, weights and the default model load no array library, and no network client."""
    program = (
        "import sys; from pathlib import Path; from ml_models import catalog, factory, weights;"
        "from ml_models.tracking import factory as trackers;"
        "catalog.all_specs(); factory.default_model(Path('nowhere'));"
        "heavy = {'numpy', 'cv2', 'supervision', 'onnxruntime', 'trackers', 'torch', 'httpx', 'scipy'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
