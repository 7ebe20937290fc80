"""The adapter gives what torchvision's own models give, built as torchvision builds them.

Official weights are not at hand, so that random ones take their place: under their official names, in the
folder where torchvision looks for downloads.
"""

from dataclasses import replace

import numpy as np
import pytest

from ml_models.catalog import find_spec, use_models_dir
from ml_models.catalog.torchvision import TORCHVISION
from ml_models.compute import Compute, Device
from ml_models.errors import DeviceUnavailableError, ModelLoadError
from ml_models.factory import create_ml_model
from tests.ml_models.clips import in_bytes

FROZEN = {
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "keypointrcnn_resnet50_fpn",
}
"""Those whose official weights were trained with frozen batch normalisation."""

QUICK = [
    "ssdlite320_mobilenet_v3_large",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "keypointrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
    "retinanet_resnet50_fpn_v2",
]


def spec_of(architecture):
    (spec,) = [spec for spec in TORCHVISION if spec.options["architecture"] == architecture]
    return spec


def random_state(architecture, classes, seed=0):
    """Weights that let something through, with the entries that official ones have."""
    import torch
    from torchvision.models import get_model

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = get_model(architecture, weights=None, weights_backbone=None, num_classes=classes)
    state = model.state_dict()
    for name, value in state.items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif name.endswith("running_mean"):
            value.normal_(0, 0.1)
        elif "predictor.cls_score.weight" in name and classes > 2:
            value.mul_(30)
    if architecture in FROZEN:
        state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    return state


def frame(width=160, height=120, seed=1):
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def as_torchvision_wants(image):
    import torch

    return torch.from_numpy(image[:, :, ::-1].copy()).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize("architecture", QUICK)
def test_detections_are_those_of_torchvision(architecture, tmp_path, monkeypatch):
    import torch
    from torchvision.models import get_model, get_model_weights

    from ml_models.torchvision_models.model import TorchvisionDetector

    spec = replace(spec_of(architecture), floor_confidence=0.011)
    classes = 91 if len(spec.labels) == 80 else 2
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    path = checkpoints / spec.weights.file_name
    torch.save(random_state(architecture, classes), path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    official = get_model(architecture, weights="COCO_V1").eval()
    head = official.roi_heads if hasattr(official, "roi_heads") else official
    head.score_thresh = spec.floor_confidence
    options = {}
    if "resnet50" in architecture:  # as they are, they scale any frame up to 800 pixels
        options = {"min_size": 160, "max_size": 300}
        official.transform.min_size, official.transform.max_size = (160,), 300
    image = frame()
    with torch.no_grad():
        (expected,) = official([as_torchvision_wants(image)])
    model = TorchvisionDetector(spec, weights_path=path, options=options)
    (found,) = model.analyze([image])

    names = get_model_weights(architecture).COCO_V1.meta["categories"]
    labels = [names[label] for label in expected["labels"]]
    kept = [index for index, label in enumerate(labels) if label in spec.labels]
    height, width = image.shape[:2]
    boxes = expected["boxes"].numpy()[kept].clip(0, np.array([width, height] * 2, np.float32))
    scores = expected["scores"].numpy()[kept]
    ids = np.array([spec.labels.index(labels[index]) for index in kept])
    order = np.lexsort((ids, *boxes.T[::-1], -scores))
    assert len(found) == len(kept) >= 3
    np.testing.assert_array_equal(found.xyxy, boxes[order])
    np.testing.assert_array_equal(found.confidence, scores[order])
    np.testing.assert_array_equal(found.class_id, ids[order])
    if "masks" in expected:
        masks = expected["masks"].numpy()[kept][order][:, 0] > 0.5
        assert found.mask.shape == (len(found), *image.shape[:2])
        np.testing.assert_array_equal(found.mask, masks)
        thin = model.analyze([np.full((1, 900, 3), 90, np.uint8)])[0]
        assert thin.mask is None or thin.mask.shape == (len(thin), 1, 900)
    if "keypoints" in expected:
        points = expected["keypoints"].numpy()[kept][order]
        assert found.data["landmarks"].shape == (len(found), 17, 2)
        np.testing.assert_array_equal(found.data["landmarks"], points[:, :, :2])
        np.testing.assert_array_equal(
            found.data["landmark_scores"], expected["keypoints_scores"].numpy()[kept][order]
        )


@pytest.mark.parametrize("spec", TORCHVISION, ids=lambda spec: spec.name)
def test_the_catalogue_says_what_torchvision_says(spec):
    from torchvision.models import get_model_weights

    official = get_model_weights(spec.options["architecture"]).COCO_V1
    assert spec.weights.url == official.url
    assert spec.weights.file_name == official.url.rpartition("/")[2]
    assert spec.weights.sha256.startswith(official.url.rpartition("-")[2].removesuffix(".pth"))
    assert round(spec.weights.size_bytes / 2**20, 3) == official.meta["_file_size"]
    categories = official.meta["categories"]
    if len(spec.labels) == 80:
        from ml_models.coco import COCO_CATEGORY_IDS

        assert [categories[number] for number in COCO_CATEGORY_IDS] == list(spec.labels)
    else:
        assert categories[1:] == list(spec.labels)


def test_it_bears_odd_frames_and_gives_the_same_each_time(tmp_path):
    import torch

    from ml_models.torchvision_models.model import TorchvisionDetector

    spec = replace(spec_of("fasterrcnn_mobilenet_v3_large_320_fpn"), floor_confidence=0.02)
    path = tmp_path / "weights.pth"
    torch.save(random_state("fasterrcnn_mobilenet_v3_large_320_fpn", 91), path)
    model = TorchvisionDetector(spec, weights_path=path)
    for width, height in ((1, 1), (3000, 1), (1, 3000), (33, 2001)):
        (found,) = model.analyze([np.full((height, width, 3), 90, np.uint8)])
        assert (found.xyxy <= [width, height, width, height]).all()
    images = [frame(seed=seed, width=100 + 20 * seed) for seed in range(3)]
    copies = [image.copy() for image in images]
    for image, copy, found in zip(images, copies, model.analyze(images), strict=True):
        assert in_bytes(found) == in_bytes(model.analyze([image])[0])
        assert (image == copy).all()


@pytest.fixture
def models_dir(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    use_models_dir(folder)
    yield folder
    use_models_dir(None)


def write(folder, labels="[cat, dog]", **fields):
    fields = {"weights": "pets.pth", "architecture": "ssdlite320_mobilenet_v3_large", **fields}
    lines = ["name: own-pets", "family: torchvision", f"labels: {labels}", "floor_confidence: 0.01"]
    (folder / "pets.yaml").write_text("\n".join([*lines, *(f"{key}: {fields[key]}" for key in fields)]))


def test_an_operator_brings_a_detector_trained_with_torchvision(models_dir, tmp_path):
    """Its labels follow the background without gaps."""
    import torch
    from torchvision.models import get_model

    architecture = "ssdlite320_mobilenet_v3_large"
    state = random_state(architecture, 3)
    torch.save({"model": state, "epoch": 4}, models_dir / "pets.pth")
    write(models_dir)
    (found,) = create_ml_model("own-pets", weights_dir=tmp_path).analyze([frame()])
    own = get_model(architecture, weights=None, weights_backbone=None, num_classes=3).eval()
    own.load_state_dict(state)
    own.score_thresh = 0.01
    with torch.no_grad():
        (expected,) = own([as_torchvision_wants(frame())])
    assert len(found) == len(expected["boxes"]) > 3
    assert sorted(found.data["class_name"]) == sorted(
        ("cat", "dog")[label - 1] for label in expected["labels"]
    )


@pytest.mark.parametrize(
    ("labels", "fields", "problem"),
    [
        ("[cat]", {}, "size mismatch"),
        (
            "[cat, dog]",
            {"architecture": "ssdlite320_mobilenet"},
            "did you mean ssdlite320_mobilenet_v3_large",
        ),
        ("[cat, dog]", {"sparse_coco_ids": "true"}, "the labels must be the 80 of COCO"),
        ("[cat, dog]", {"precision": "float16"}, "CPUs do not compute in float16"),
    ],
)
def test_what_does_not_fit_is_refused(labels, fields, problem, models_dir, tmp_path):
    import torch

    torch.save(random_state("ssdlite320_mobilenet_v3_large", 3), models_dir / "pets.pth")
    write(models_dir, labels, **fields)
    with pytest.raises(ModelLoadError, match=problem):
        create_ml_model("own-pets", weights_dir=tmp_path).analyze([frame()])


def test_a_device_that_is_not_there_is_named(models_dir, tmp_path):
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this machine has an mps device")
    torch.save(random_state("ssdlite320_mobilenet_v3_large", 3), models_dir / "pets.pth")
    write(models_dir)
    assert find_spec("own-pets").devices == (Device.CPU, Device.CUDA, Device.MPS)
    model = create_ml_model("own-pets", weights_dir=tmp_path, compute=Compute(Device.MPS))
    with pytest.raises(DeviceUnavailableError, match="finds no mps device here"):
        model.analyze([frame()])
