"""Uploading a detector over GraphQL, by administrators alone."""

import json

import pytest

from domain.accounts.models import User
from domain.accounts.service import make_admin
from tests.graphql_api.full_app import FullApp
from tests.ml_models import onnx_graphs as graphs

UPLOAD = """mutation($file: Upload!, $config: String!) { uploadMLModel(file: $file, config: $config) {
  mlModel { id name labels license weightsBytes inputWidth inputHeight isReady canAnalyze } userErrors { code message path } } }"""
DELETE = """mutation($name: String!) { deleteMLModel(name: $name) {
  deletedId userErrors { code message path } } }"""
START = """mutation($video: ID!, $model: String!) { startAnalysis(input: {videoId: $video,
  settings: {mlModel: $model, labels: ["nut"]}}) { analysis { settings { mlModel { name } } }
  userErrors { code message path } } }"""
CONFIG = "name: own-bolts\nfamily: yolov8\nlabels: [bolt, nut, washer]\nlicense: MIT\n"


@pytest.fixture
async def full(database, tmp_path):
    async with FullApp(tmp_path / "data") as app:
        yield app


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return graphs.yolov8(tmp_path_factory.mktemp("models") / "bolts.onnx")


async def send(person, path, config=CONFIG):
    operations = {"query": UPLOAD, "variables": {"file": None, "config": config}}
    response = await person.http.post(
        "/graphql",
        data={"operations": json.dumps(operations), "map": '{"0": ["variables.file"]}'},
        files={"0": ("bolts.onnx", path.read_bytes())},
        headers=person.headers,
    )
    return response.json()


async def test_an_administrator_uploads_a_model_that_everybody_uses(full, model, media_dir):
    admin, other = await full.person(), await full.person("mallory")
    await make_admin("ada")
    assert (await admin.data("{ me { isAdmin } }"))["me"] == {"isAdmin": True}
    assert (await other.data("{ me { isAdmin } }"))["me"] == {"isAdmin": False}

    refused = (await send(admin, model, CONFIG.replace(", washer", "")))["data"]["uploadMLModel"]
    assert refused["mlModel"] is None
    (error,) = refused["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID", ["config", "labels"])
    assert error["message"] == "labels: the configuration has 2, but the model tells 3 classes apart."
    for config, path, message in (
        ("input_size: [64, 64]", "input_size", "input_size: is 64 x 64, but the file takes only 160 x 128: leave it out."),
        ("input_sise: [64, 64]", "input_sise", "input_sise: is no field of a configuration: did you mean input_size?"),
        ("labels: [nut]", "labels", "labels: is there twice: remove one of them."),
    ):  # fmt: skip
        (error,) = (await send(admin, model, CONFIG + config))["data"]["uploadMLModel"]["userErrors"]
        assert (error["path"], error["message"]) == (["config", path], message)
    assert await full.keys("uploads") == []

    made = (await send(admin, model))["data"]["uploadMLModel"]
    assert made["userErrors"] == []
    assert made["mlModel"] == {
        "id": made["mlModel"]["id"],
        "name": "own-bolts",
        "labels": ["bolt", "nut", "washer"],
        "license": "MIT",
        "weightsBytes": model.stat().st_size,
        "inputWidth": graphs.WIDTH,
        "inputHeight": graphs.HEIGHT,
        "isReady": True,
        "canAnalyze": True,
    }
    listed = (await other.data("{ mlModels { id name } }"))["mlModels"]
    assert listed[-1] == {"id": made["mlModel"]["id"], "name": "own-bolts"}
    node = await other.data("query($id: ID!) { node(id: $id) { id } }", id=made["mlModel"]["id"])
    assert node["node"] == {"id": made["mlModel"]["id"]}

    clip = media_dir / "gestures" / "eat.mkv"
    video = (await other.upload((clip.name, clip.read_bytes())))["videos"][0]["id"]
    started = await other.data(START, video=video, model="own-bolts")
    assert started["startAnalysis"]["analysis"] == {"settings": {"mlModel": {"name": "own-bolts"}}}

    in_use = (await admin.data(DELETE, name="own-bolts"))["deleteMLModel"]
    assert [error["code"] for error in in_use["userErrors"]] == ["CONFLICT"]


async def test_nobody_else_may(full, model):
    person = await full.person()
    answer = await send(person, model)
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    assert [error["message"] for error in answer["errors"]] == ["Only administrators may do this."]
    assert await full.keys() == [], "nothing of it was stored"
    answer = await person.execute(DELETE, name="own-bolts")
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]


async def test_nobody_becomes_one_by_signing_up(full):
    """Not even the first; only the command line makes administrators."""
    await full.person()
    assert await User.filter(is_admin=True).count() == 0
    await make_admin("ADA")
    await make_admin("ada", is_admin=False)
    assert await User.filter(is_admin=True).count() == 0


async def test_too_large_a_file_is_refused_before_it_comes(database, tmp_path, model):
    async with FullApp(tmp_path / "data", max_own_model_bytes=1) as full:
        admin = await full.person()
        await make_admin("ada")
        large = tmp_path / "large.onnx"
        large.write_bytes(bytes(2 * 2**20))
        answer = await send(admin, large)
        assert "max_own_model_bytes" in json.dumps(answer)
        answer = await send(admin, model)
        (error,) = answer["data"]["uploadMLModel"]["userErrors"]
        assert (error["code"], error["path"]) == ("LIMIT_EXCEEDED", ["file"])
        assert await full.keys() == []


async def test_deleting(full, model):
    admin = await full.person()
    await make_admin("ada")
    missing = (await admin.data(DELETE, name="own-bolts"))["deleteMLModel"]
    assert [error["code"] for error in missing["userErrors"]] == ["NOT_FOUND"]
    made = (await send(admin, model))["data"]["uploadMLModel"]["mlModel"]
    assert (await admin.data(DELETE, name="own-bolts"))["deleteMLModel"]["deletedId"] == made["id"]
    assert await full.keys() == []
    names = [one["name"] for one in (await admin.data("{ mlModels { name } }"))["mlModels"]]
    assert "own-bolts" not in names
