"""`framewise models check` and `bench`, as they are typed, with real models."""

import json

import numpy as np
import pytest

from tests.cli.test_app import environment, framewise  # noqa: F401 - fixtures
from tests.ml_models.people import gather_people


def test_models_are_checked_in_processes_of_their_own(framewise, weights_dir):  # noqa: F811
    done = framewise("models", "check", "yunet-2026may", "mobilefacenet", "--mirror", weights_dir)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "yunet-2026may: finds 1 face in the photograph",
        "mobilefacenet: describes a face in 128 numbers",
    ]


@pytest.fixture
def wrong_file(tmp_path):
    """A models folder with a file that describes no model as it must."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "bad.yaml").write_text("name: own-bad\nfamily: yolo0\n")
    return str(folder)


def test_without_names_what_is_ready_is_checked_and_the_rest_is_listed(framewise, wrong_file):  # noqa: F811
    done = framewise("models", "check", FRAMEWISE_MODELS_DIR=wrong_file)
    assert done.returncode == 1, done.stderr
    assert "own-bad is left out: the model file" in done.stdout
    assert "opencv-haar-face: finds 1 face in the photograph" in done.stdout
    assert "mobilefacenet: not ready: framewise models pull mobilefacenet" in done.stdout


def test_a_wrong_file_and_a_missing_device_are_told(framewise, weights_dir, tmp_path):  # noqa: F811
    size = (weights_dir / "mobilefacenet.onnx").stat().st_size
    (tmp_path / "mobilefacenet.onnx").write_bytes(b"\0" * size)
    done = framewise("models", "check", "mobilefacenet", "opencv-haar-face", "--mirror", tmp_path)
    assert done.returncode == 1
    wrong, right = done.stdout.splitlines()
    assert "is not the file it should be (SHA-256" in wrong
    assert right.startswith("opencv-haar-face: finds")
    done = framewise("models", "check", "yunet-2026may", "--mirror", weights_dir, FRAMEWISE_DEVICE="cuda")
    assert done.returncode == 1
    assert "the device cuda is asked for" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_speed_is_measured_and_kept(framewise, weights_dir, tmp_path):  # noqa: F811
    path = tmp_path / "figures.json"
    done = framewise(
        "models", "bench", "yunet-2026may", "--mirror", weights_dir, "--seconds", "0", "--save", path
    )
    assert done.returncode == 0, done.stderr
    speed = json.loads(path.read_text())["yunet-2026may"]["speed"]
    assert speed["command"] == "framewise models bench"
    assert f"{speed['milliseconds_1_thread']:.2f}" in done.stdout
    assert speed["cpu"] in done.stdout.replace("\n", " ")


def test_faces_are_told_apart_and_that_is_kept(framewise, weights_dir, media_dir, tmp_path):  # noqa: F811
    gather_people(media_dir, tmp_path / "people")
    path = tmp_path / "figures.json"
    options = ["--people", tmp_path / "people", "--mirror", weights_dir, "--save", path]
    done = framewise("models", "bench", "mobilefacenet", *options)
    assert done.returncode == 0, done.stderr
    figures = {
        quality["metric"]: quality["value"]
        for quality in json.loads(path.read_text())["mobilefacenet"]["quality"]
    }
    assert figures["ACCURACY"] == 1
    assert np.isclose(figures["LOWEST_SAME_SIMILARITY"], 0.4, atol=0.02)
    assert "100.0%" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models", "check", "yunet"], "there is no model 'yunet'"),
        (["models", "bench", "yunet"], "there is no model 'yunet'"),
        (["models", "check", "own-good"], "no model 'own-good' here: uploaded models live on the server"),
        (["models", "pull", "own-good"], "no model 'own-good' here: uploaded models live on the server"),
        (["models", "bench", "--people", "no/folder"], "no/folder is no folder"),
    ],
)
def test_what_is_wrong_is_said(framewise, arguments, message):  # noqa: F811
    done = framewise(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_model_file_is_told_of_beside_the_models_that_can_be_used(framewise, wrong_file):  # noqa: F811
    listed = framewise("models", "list", FRAMEWISE_MODELS_DIR=wrong_file)
    assert listed.returncode == 0, listed.stderr
    assert "yunet-2026may" in listed.stdout
    assert "own-bad is left out: the model file" in listed.stdout
    assert "family: must be one of" in listed.stdout
    named = framewise("models", "check", "own-bad", FRAMEWISE_MODELS_DIR=wrong_file)
    assert named.returncode == 2
    assert "bad.yaml: family: must be one of" in named.stderr
