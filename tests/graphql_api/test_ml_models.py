"""What people see of models, and what they cannot start."""

import pytest

from domain.videos.models import Video, VideoStatus
from ml_models.catalog import CATALOG, find_spec, use_models_dir
from ml_models.extras import EXTRAS, Extra
from ml_models.measurements import measured
from tests.graphql_api.full_app import FullApp

MODELS = """{ mlModels { name task labels license trainingData knownLimits weightsBytes weightsSha256 inputWidth
  inputHeight embeddingSize sameSimilarity devices millisecondsPerFrame measuredOn
  quality { metric value data command } requiresExtra isInstalled howToInstall canAnalyze isReady } }"""
START = """mutation($input: StartAnalysisInput!) {
  startAnalysis(input: $input) { analysis { id } userErrors { code message path } } }"""


@pytest.fixture
async def app(database, tmp_path):
    async with FullApp(tmp_path) as app:
        yield app


@pytest.fixture
def without_dlib(monkeypatch):
    monkeypatch.setitem(EXTRAS, "dlib", Extra("dlib", ("no_such_module",), EXTRAS["dlib"].how_to_install))


async def models(app, person=None):
    person = person or await app.person()
    return {model["name"]: model for model in (await person.data(MODELS))["mlModels"]}


async def test_every_model_is_shown_as_the_catalogue_has_it(app):
    shown = await models(app)
    for spec in CATALOG:
        model = shown[spec.name]
        assert model["trainingData"] == spec.training_data
        assert model["knownLimits"] == spec.known_limits
        assert model["weightsSha256"] == (spec.weights.sha256 if spec.weights else None)
        assert (model["inputWidth"], model["inputHeight"]) == (spec.input_size or (None, None))
        assert model["canAnalyze"] == (spec.task.is_detection and spec.is_installed)
        assert model["devices"] == [device.value for device in spec.devices]
        assert bool(model["embeddingSize"]) == bool(model["sameSimilarity"]) == spec.task.is_embedding
        speed = measured(spec.name).speed
        assert model["millisecondsPerFrame"] == (speed.milliseconds_1_thread if speed else None)
        assert bool(model["measuredOn"]) == bool(speed)
        assert len(model["quality"]) == len(measured(spec.name).quality)


async def test_a_model_whose_extra_is_missing_is_shown_with_what_to_install(app, without_dlib):
    model = (await models(app))["dlib-hog-face"]
    assert model["requiresExtra"] == "dlib"
    assert model["howToInstall"] == ".venv/bin/uv pip install -e '.[dlib]'"
    assert (model["isInstalled"], model["isReady"], model["canAnalyze"]) == (False, False, False)


async def _start(app, name, person=None):
    ada = person or await app.person()
    me = (await ada.data("{ me { id } }"))["me"]["id"]
    owner = await _owner(me)
    video = await Video.create(
        owner_id=owner, title="v", filename="v.mp4", storage_key="v", size_bytes=1, sha256="",
        status=VideoStatus.READY,
    )  # fmt: skip
    from graphql_api.relay import global_id

    answer = {"videoId": global_id("Video", str(video.id)), "settings": {"mlModel": name}}
    return (await ada.data(START, input=answer))["startAnalysis"]


async def _owner(node_id):
    from graphql_api.relay import parse_global_id

    return parse_global_id(node_id)[1]


async def test_a_model_whose_extra_is_missing_cannot_be_started(app, without_dlib):
    payload = await _start(app, "dlib-hog-face")
    [error] = payload["userErrors"]
    assert payload["analysis"] is None
    assert (error["code"], error["path"]) == ("MODEL_UNAVAILABLE", ["input", "settings", "mlModel"])
    assert ".venv/bin/uv pip install -e '.[dlib]'" in error["message"]


@pytest.mark.parametrize("name", ["mobilefacenet", "person-reid-0288"])
async def test_a_model_that_describes_cannot_be_started(app, name):
    assert find_spec(name).task.is_embedding
    payload = await _start(app, name)
    [error] = payload["userErrors"]
    assert error["code"] == "MODEL_UNAVAILABLE"
    assert "finds nothing by itself" in error["message"]


async def test_a_wrong_model_file_hides_no_other_model_and_is_told_of_when_asked_for(app, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "bad.yaml").write_text("name: own-bad\nfamily: yolo0\n")
    use_models_dir(folder)
    try:
        ada = await app.person()
        shown = await models(app, ada)
        payload = await _start(app, "own-bad", ada)
    finally:
        use_models_dir(None)
    assert shown.keys() == {spec.name for spec in CATALOG}
    [error] = payload["userErrors"]
    assert "bad.yaml: family: must be one of" in error["message"]
