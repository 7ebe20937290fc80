"""Files that describe models of an operator: read into what the catalogue holds, or refused with the reason."""

import hashlib
import subprocess
import sys

import pytest

from ml_models.catalog import all_specs, broken_models, find_spec, use_models_dir
from ml_models.compute import Device
from ml_models.errors import ExtraMissingError, ModelFileError, UnknownModelError
from ml_models.extras import EXTRAS
from ml_models.factory import create_ml_model
from ml_models.weights import ensure_weights, is_ready

DETECTRON2 = {
    "name": "own-shapes",
    "family": "detectron2",
    "labels": "[circle, square]",
    "weights": "shapes.pth",
    "config": "shapes_config.yaml",
}
TORCHVISION = {
    "name": "own-pets",
    "family": "torchvision",
    "labels": "coco",
    "weights": "shapes.pth",
    "architecture": "ssdlite320_mobilenet_v3_large",
}
ONNX = {"name": "own-boxes", "family": "yolox", "labels": "[box]", "weights": "boxes.onnx"}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "shapes.pth").write_bytes(b"weights")
    (folder / "boxes.onnx").write_bytes(b"network")
    (folder / "shapes_config.yaml").write_text("VERSION: 2\nMODEL: {MASK_ON: false}\n")
    use_models_dir(folder)
    yield folder
    use_models_dir(None)


def write(folder, fields, file_name="model.yaml", **changes):
    lines = [f"{key}: {value}" for key, value in {**fields, **changes}.items() if value is not None]
    (folder / file_name).write_text("\n".join(lines))


def test_a_detectron2_model_is_read(folder, tmp_path):
    write(folder, DETECTRON2, floor_confidence=0.05, license="MIT", masks="false")
    spec = find_spec("own-shapes")
    assert all_specs()["own-shapes"] == spec
    assert (spec.labels, spec.floor_confidence, spec.default_confidence) == (("circle", "square"), 0.05, 0.5)
    assert (spec.license, spec.requires_extra, spec.devices[0]) == ("MIT", "detectron2", Device.CPU)
    assert spec.options["config"] == "shapes_config.yaml"
    assert spec.options["masks"] is False
    assert spec.weights.sha256 == hashlib.sha256(b"weights").hexdigest()
    assert ensure_weights(spec, tmp_path / "elsewhere") == folder / "shapes.pth"
    assert is_ready(spec, tmp_path) == EXTRAS["detectron2"].is_installed()


def test_the_other_families_are_read_likewise(folder, tmp_path):
    write(folder, TORCHVISION, "a.yaml", default_confidence=0.6)
    write(folder, ONNX, "b.yaml", max_iou=0.6)
    pets, boxes = find_spec("own-pets"), find_spec("own-boxes")
    assert len(pets.labels) == 80
    assert pets.options["architecture"] == "ssdlite320_mobilenet_v3_large"
    assert pets.default_confidence == 0.6
    assert boxes.options["max_iou"] == 0.6
    assert ensure_weights(boxes, tmp_path / "elsewhere") == folder / "boxes.onnx"


def test_weights_may_come_from_a_url_with_a_checksum(folder):
    checksum = "ab" * 32
    weights = f"{{url: 'https://example.org/m/shapes.pkl', sha256: '{checksum}', size_bytes: 7}}"
    write(folder, DETECTRON2, weights=weights)
    found = find_spec("own-shapes").weights
    assert (found.url, found.sha256, found.size_bytes) == (
        "https://example.org/m/shapes.pkl",
        checksum,
        7,
    )
    assert found.file_name.endswith("-shapes.pkl")


@pytest.mark.parametrize(
    ("file", "content"),
    [("shapes.pth", b"other weights"), ("shapes_config.yaml", b"VERSION: 2\nMODEL: {MASK_ON: true}\n")],
)
def test_stored_detections_are_not_those_of_other_weights_or_another_config(folder, file, content):
    write(folder, DETECTRON2)
    before = find_spec("own-shapes").fingerprint()
    assert find_spec("own-shapes").fingerprint() == before
    (folder / file).write_bytes(content)
    assert find_spec("own-shapes").fingerprint() != before


def test_where_the_folder_lies_does_not_change_the_fingerprint(folder, tmp_path):
    write(folder, DETECTRON2)
    before = find_spec("own-shapes").fingerprint()
    moved = folder.rename(tmp_path / "moved")
    use_models_dir(moved)
    assert find_spec("own-shapes").fingerprint() == before


def test_other_yaml_files_and_an_absent_folder_are_no_models(folder, tmp_path):
    assert not [name for name in all_specs() if name.startswith("own-")]
    (folder / "notes.yaml").write_text("family tree: [a, b]\n")
    (folder / ".hidden.yaml").write_text("family: nonsense\n")
    assert not [name for name in all_specs() if name.startswith("own-")]
    use_models_dir(tmp_path / "nowhere")
    with pytest.raises(UnknownModelError):
        find_spec("own-shapes")


@pytest.mark.parametrize(
    ("fields", "changes", "problem"),
    [
        (DETECTRON2, {"family": "detectron"}, "family: must be one of detectron2, torchvision, yolox"),
        (DETECTRON2, {"name": "shapes"}, "name: must be 'own-'"),
        (DETECTRON2, {"labels": "[]"}, "labels: must be a list"),
        (DETECTRON2, {"labels": "[a, a]"}, "labels: 'a' is there twice"),
        (DETECTRON2, {"weights": None}, "weights: must be a file beside this one"),
        (DETECTRON2, {"weights": "none.pth"}, "weights: cannot be read"),
        (DETECTRON2, {"weights": "boxes.onnx"}, "weights: of this family end with .pth or .pkl"),
        (DETECTRON2, {"weights": "https://example.org/a.pkl"}, "weights: from a URL need a checksum"),
        (DETECTRON2, {"weights": "{url: 'https://a.example/a.pkl', size_bytes: 1}"}, "sha256 must be 64"),
        (DETECTRON2, {"weights": f"{{url: 'file:///a.pkl', sha256: {'a' * 64}, size_bytes: 1}}"}, "url must"),
        (DETECTRON2, {"config": None}, "config: must be a YAML file"),
        (DETECTRON2, {"masks": "maybe"}, "masks: must be true or false"),
        (DETECTRON2, {"mask": "true"}, "mask: is no field of a configuration: did you mean masks"),
        (DETECTRON2, {"precision": "float8"}, "precision: must be one of float32, float16, bfloat16"),
        (DETECTRON2, {"default_confidence": 0.01}, "default_confidence: must be a number from 0.1 to 1"),
        (DETECTRON2, {"task": "FACE_EMBEDDING"}, "task: must be one of"),
        (DETECTRON2, {"more": "!!python/object/apply:os.getcwd []"}, "config: is no YAML"),
        (TORCHVISION, {"architecture": None}, "architecture: must be the name"),
        (ONNX, {"weights": "shapes.pth"}, "weights: of this family end with .onnx"),
        (ONNX, {"max_iou": 3}, "max_iou: must be a number from 0 to 1"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_reason(folder, fields, changes, problem):
    write(folder, fields, **changes)
    write(folder, {**ONNX, "name": "own-good"}, "good.yaml")
    [broken] = broken_models()
    assert problem in str(broken.error)
    assert "model.yaml" in str(broken.error)
    with pytest.raises(ModelFileError) as caught:
        find_spec(broken.name)
    assert str(caught.value) == str(broken.error)
    assert broken.name == changes.get("name", fields["name"])
    assert broken.name not in all_specs()
    assert {"own-good", "yolox-nano"} <= set(all_specs()), "the others stay listed"
    assert find_spec("own-good").labels == ("box",)


@pytest.mark.parametrize("content", [b"family: yolox\nname: [", b"\xff\xfe", b"family: yolox\n- a: {"])
def test_a_file_without_a_readable_name_is_known_by_its_own(folder, content):
    (folder / "own-odd.yaml").write_bytes(content)
    assert [model.name for model in broken_models()] in (["own-odd"], ["["])
    assert "yolox-nano" in all_specs()


def test_a_folder_that_is_none_leaves_the_catalogue_as_it_is(tmp_path):
    (tmp_path / "file").write_text("")
    use_models_dir(tmp_path / "file")
    assert "yolox-nano" in all_specs()
    use_models_dir(None)


def test_a_name_is_taken_once(folder):
    """Nobody could say which of the two was meant."""
    write(folder, DETECTRON2, "a.yaml")
    write(folder, DETECTRON2, "b.yaml", labels="[square]")
    write(folder, ONNX, "c.yaml")
    assert [model.name for model in broken_models()] == ["own-shapes"] * 2
    assert "own-boxes" in all_specs()
    with pytest.raises(ModelFileError, match="takes the name own-shapes, which another model has"):
        find_spec("own-shapes")
    (folder / "b.yaml").unlink()
    assert find_spec("own-shapes").labels == ("circle", "square")
    assert broken_models() == ()


def test_the_log_tells_of_it_once_and_again_after_it_was_mended(folder, caplog):
    write(folder, ONNX, max_iou=3)
    for _ in range(3):
        all_specs()
    [record] = caplog.records
    assert "model.yaml: max_iou: must be a number" in record.getMessage()
    write(folder, ONNX)
    assert "own-boxes" in all_specs()
    write(folder, ONNX, max_iou=3)
    all_specs()
    assert len(caplog.records) == 2


@pytest.mark.skipif(EXTRAS["detectron2"].is_installed(), reason="Detectron2 is installed here")
def test_where_detectron2_is_missing_the_error_says_where_it_is_to_be_had(folder, tmp_path):
    write(folder, DETECTRON2)
    with pytest.raises(ExtraMissingError, match=r"https://detectron2\.readthedocs\.io/.*/install\.html"):
        create_ml_model("own-shapes", weights_dir=tmp_path)


def test_reading_them_loads_nothing_heavy(folder):
    write(folder, DETECTRON2)
    program = (
        "import sys; from pathlib import Path; from ml_models import catalog;"
        f"catalog.use_models_dir(Path({str(folder)!r})); print(catalog.find_spec('own-shapes').name);"
        "heavy = {'numpy', 'cv2', 'supervision', 'onnxruntime', 'torch', 'detectron2', 'httpx'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["own-shapes", "[]"]


@pytest.mark.parametrize(
    ("fields", "changes", "revision"),
    [
        (TORCHVISION, {}, 1),
        (TORCHVISION, {"architecture": "maskrcnn_resnet50_fpn_v2"}, 2),
        (TORCHVISION, {"architecture": "keypointrcnn_resnet50_fpn"}, 2),
        (DETECTRON2, {}, 1),
        (DETECTRON2, {"config": "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml"}, 1),
        (DETECTRON2, {"config": "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml"}, 2),
        (DETECTRON2, {"config": "COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x.yaml"}, 2),
    ],
)
def test_detections_stored_before_there_were_masks_are_not_taken(folder, fields, changes, revision):
    write(folder, fields, **changes)
    assert find_spec(fields["name"]).revision == revision


@pytest.mark.parametrize("line", ["MODEL: {MASK_ON: true}", "  KEYPOINT_ON:  True", "'MASK_ON': true"])
def test_a_config_tells_whether_there_are_masks(folder, line):
    (folder / "shapes_config.yaml").write_text(f"VERSION: 2\n{line}\n")
    write(folder, DETECTRON2)
    assert find_spec("own-shapes").revision == 2
