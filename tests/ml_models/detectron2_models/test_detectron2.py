"""The adapter gives what Detectron2's own predictor gives, and refuses what it should not load."""

import pickle

import numpy as np
import pytest

from ml_models.catalog import find_spec
from ml_models.errors import ModelLoadError
from ml_models.factory import create_ml_model
from tests.ml_models.clips import in_bytes


def pictures(count, seed=7):
    from tests.ml_models.detectron2_models.tiny import draw

    rng = np.random.default_rng(seed)
    return [draw(rng) for _ in range(count)]


def create(name, tmp_path):
    return create_ml_model(name, weights_dir=tmp_path)


def assert_equal(found, instances):
    assert len(found) == len(instances)
    np.testing.assert_array_equal(found.xyxy, instances.pred_boxes.tensor.numpy())
    np.testing.assert_array_equal(found.confidence, instances.scores.numpy())
    np.testing.assert_array_equal(found.class_id, instances.pred_classes.numpy())


def test_it_finds_the_shapes_that_were_drawn(shapes):
    for image, boxes, classes in pictures(8):
        (found,) = shapes.analyze([image])
        best = found[found.confidence > 0.6]
        assert sorted(best.data["class_name"]) == sorted(shapes.spec.labels[one] for one in classes)
        for box, kind in zip(boxes, classes, strict=True):
            (match,) = [
                one
                for one, class_id in zip(best.xyxy, best.class_id, strict=True)
                if np.abs(one - box).max() < 5 and class_id == kind
            ]
            assert match.dtype == np.float32


@pytest.mark.parametrize("threshold", [0.05, 0.5])
def test_its_boxes_are_those_of_the_default_predictor(shapes, shapes_dir, threshold):
    """Also where the predictor's threshold is above the floor: the rest is the same."""
    from tests.ml_models.detectron2_models.predictor import predicted, predictor_of

    predictor = predictor_of(shapes_dir, "shapes", threshold)
    for image, _, _ in pictures(10):
        instances = predicted(predictor, image)
        assert len(instances) >= 2
        (found,) = shapes.analyze([image])
        assert_equal(found[found.confidence > threshold], instances)


def test_frames_of_other_sizes_are_scaled_as_the_config_says(shapes, shapes_dir):
    import cv2

    from tests.ml_models.detectron2_models.predictor import predicted, predictor_of

    predictor = predictor_of(shapes_dir, "shapes", 0.05)
    image, boxes, _ = pictures(1)[0]
    for width, height in ((512, 384), (1000, 200), (200, 1000), (61, 47)):
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        (found,) = shapes.analyze([resized])
        assert_equal(found, predicted(predictor, resized))
    (found,) = shapes.analyze([cv2.resize(image, (512, 384))])
    assert np.abs(found.xyxy[:2] / 4 - found.xyxy[:2].round() / 4).max() < 1
    assert min(np.abs(found.xyxy[0] / 4 - box).max() for box in boxes) < 5


@pytest.mark.parametrize("colours", ["BGR", "RGB"])
@pytest.mark.parametrize("kind", ["faster_rcnn", "mask_rcnn", "keypoint_rcnn", "retinanet"])
def test_masks_and_keypoints_are_those_of_the_default_predictor(kind, colours, models_dir, tmp_path):
    from tests.ml_models.detectron2_models import tiny
    from tests.ml_models.detectron2_models.predictor import predicted, predictor_of

    cfg = getattr(tiny, kind)()
    cfg.INPUT.FORMAT = colours
    tiny.save(models_dir, "untrained", cfg, tiny.untrained(cfg), floor=0.1)
    model = create("own-untrained", tmp_path)
    predictor = predictor_of(models_dir, "untrained", 0.1)
    for image, _, _ in pictures(3):
        instances = predicted(predictor, image)
        (found,) = model.analyze([image])
        assert len(found) > 3
        assert_equal(found, instances)
        if kind == "mask_rcnn":
            assert found.mask.dtype == bool
            np.testing.assert_array_equal(found.mask, instances.pred_masks.numpy())
            assert 0 < found.mask.mean() < 1
        if kind == "keypoint_rcnn":
            assert found.data["landmarks"].shape == (len(found), 5, 2)
            assert found.data["landmarks"].dtype == np.float32
            np.testing.assert_array_equal(found.data["landmarks"], instances.pred_keypoints[:, :, :2].numpy())
            np.testing.assert_array_equal(
                found.data["landmark_scores"], instances.pred_keypoints[:, :, 2].numpy()
            )


@pytest.mark.parametrize("kind", ["mask_rcnn", "keypoint_rcnn"])
def test_nothing_found_has_its_shapes_too(kind, models_dir, tmp_path):
    from tests.ml_models.detectron2_models import tiny

    cfg = getattr(tiny, kind)()
    tiny.save(models_dir, "untrained", cfg, tiny.untrained(cfg), floor=0.99, default_confidence=1)
    (found,) = create("own-untrained", tmp_path).analyze([pictures(1)[0][0]])
    assert len(found) == 0
    if kind == "mask_rcnn":
        assert found.mask.shape == (0, tiny.HEIGHT, tiny.WIDTH)
    else:
        assert found.data["landmarks"].shape == (0, 5, 2)


def test_masks_of_a_thin_frame_are_of_its_size(models_dir, tmp_path):
    """A border that the model needs is cut off again."""
    from tests.ml_models.detectron2_models import tiny

    cfg = tiny.mask_rcnn()
    tiny.save(models_dir, "untrained", cfg, tiny.untrained(cfg), floor=0.0)
    model = create("own-untrained", tmp_path)
    for width, height in ((3000, 1), (1, 3000)):
        (found,) = model.analyze([np.full((height, width, 3), 90, np.uint8)])
        if found.mask is not None:
            assert found.mask.shape == (len(found), height, width)


def test_masks_that_nobody_wants_are_not_computed(models_dir, tmp_path):
    from tests.ml_models.detectron2_models import tiny

    cfg = tiny.mask_rcnn()
    tiny.save(models_dir, "untrained", cfg, tiny.untrained(cfg), masks="false")
    model = create("own-untrained", tmp_path)
    (found,) = model.analyze([pictures(1)[0][0]])
    assert found.mask is None
    assert not any("mask" in name for name, _ in model._model.named_modules())


def test_odd_frames(shapes):
    for width, height in ((1, 1), (3000, 1), (1, 3000), (33, 2001)):
        (found,) = shapes.analyze([np.full((height, width, 3), 90, np.uint8)])
        assert (found.xyxy <= [width, height, width, height]).all()


def test_a_batch_gives_what_single_frames_give(shapes):
    images = [image for image, _, _ in pictures(4)]
    images[1] = images[1][:60, 20:101]
    copies = [image.copy() for image in images]
    batch = shapes.analyze(images)
    for image, copy, from_batch in zip(images, copies, batch, strict=True):
        assert in_bytes(shapes.analyze([image])[0]) == in_bytes(from_batch)
        assert (image == copy).all()


def test_weights_of_the_model_zoo_are_read(shapes, shapes_dir, models_dir, tmp_path):
    """They are pickles of arrays with a field for the author."""
    import torch

    from tests.ml_models.detectron2_models import tiny

    cfg = tiny.faster_rcnn()
    tiny.save(models_dir, "zoo", cfg, tiny.untrained(cfg), weights="zoo.pkl")
    state = torch.load(shapes_dir / "shapes.pth", weights_only=True)["model"]
    content = {"model": {key: value.numpy() for key, value in state.items()}, "__author__": "Model Zoo"}
    image = pictures(1)[0][0]
    (expected,) = shapes.analyze([image])
    for protocol in (2, 4):
        (models_dir / "zoo.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
        (found,) = create("own-zoo", tmp_path).analyze([image])
        assert in_bytes(found) == in_bytes(expected)


def test_a_config_of_the_model_zoo_is_found_by_its_name():
    from detectron2.config import get_cfg

    from ml_models.detectron2_models.config import find_config, number_of_classes, read_config

    for name, classes in (
        ("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml", 80),
        ("COCO-Detection/retinanet_R_50_FPN_3x", 80),
        ("COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x.yaml", 1),
    ):
        file = find_config(name, None)
        cfg = read_config(file, floor_confidence=0.2, device="cpu", masks=True, keypoints=True)
        assert number_of_classes(cfg) == classes
        assert cfg.MODEL.RETINANET.SCORE_THRESH_TEST == cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST == 0.2
        expected = get_cfg()
        expected.merge_from_file(str(file.path))
        assert cfg.INPUT == expected.INPUT
        assert cfg.MODEL.BACKBONE == expected.MODEL.BACKBONE


class Bomb:
    """What an attacker would put into a file of weights."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_weights_that_run_code_are_refused(models_dir, tmp_path):
    import torch

    from tests.ml_models.detectron2_models import tiny

    cfg = tiny.faster_rcnn()
    model = tiny.untrained(cfg)
    marker = tmp_path / "went off"
    for ending in ("pkl", "pth"):
        tiny.save(models_dir, "bomb", cfg, model, weights=f"bomb.{ending}")
        content = {"model": model.state_dict(), "more": Bomb(marker)}
        if ending == "pkl":
            (models_dir / "bomb.pkl").write_bytes(pickle.dumps({"model": {}, "more": Bomb(marker)}))
        else:
            torch.save(content, models_dir / "bomb.pth")
        with pytest.raises(ModelLoadError, match=f"bomb.{ending} is not read, since it holds more than"):
            create("own-bomb", tmp_path).analyze([pictures(1)[0][0]])
        assert not marker.exists()


def test_weights_of_another_config_are_refused(models_dir, tmp_path):
    from tests.ml_models.detectron2_models import tiny

    cfg = tiny.faster_rcnn()
    tiny.save(models_dir, "other", cfg, tiny.untrained(tiny.retinanet()))
    with pytest.raises(ModelLoadError, match=r"does not fit the config: \d+ parts lack weights \("):
        create("own-other", tmp_path).analyze([pictures(1)[0][0]])


@pytest.mark.parametrize(
    ("config", "fields", "problem"),
    [
        (None, {"labels": "[circle]"}, "has 2 classes, but 1 labels"),
        ("_BASE_: ../base.yaml\n", {}, "leans on ../base.yaml"),
        ("MODEL: !!python/object/apply:os.getcwd []\n", {}, "is no plain YAML"),
        ("- 1\n", {}, "must hold keys and values"),
        ("MODEL: {NO_SUCH_KEY: 1}\n", {}, "NO_SUCH_KEY"),
        (None, {"config": "shapes.py"}, "configs written in Python are not read"),
        (None, {"config": "COCO-Detection/no_such_thing.yaml"}, "there is no config"),
        (None, {"precision": "float16"}, "CPUs do not compute in float16"),
    ],
)
def test_a_config_that_cannot_be_used_says_why(config, fields, problem, models_dir, tmp_path):
    from tests.ml_models.detectron2_models import tiny

    cfg = tiny.faster_rcnn()
    tiny.save(models_dir, "wrong", cfg, tiny.untrained(cfg), **fields)
    if config is not None:
        (models_dir / "wrong_config.yaml").write_text(config)
    with pytest.raises(ModelLoadError, match=problem):
        create("own-wrong", tmp_path).analyze([pictures(1)[0][0]])


def test_half_precision_finds_the_same_shapes(models_dir, shapes, shapes_dir, tmp_path):
    import shutil

    for name in ("shapes.pth", "shapes_config.yaml"):
        shutil.copy(shapes_dir / name, models_dir)
    text = (shapes_dir / "shapes.yaml").read_text()
    (models_dir / "half.yaml").write_text(text.replace("own-shapes", "own-half") + "\nprecision: bfloat16\n")
    from ml_models.catalog import use_models_dir

    use_models_dir(models_dir)
    assert find_spec("own-half").options["precision"] == "bfloat16"
    half = create("own-half", tmp_path)
    for image, _, classes in pictures(4):
        (found,) = half.analyze([image])
        (exact,) = shapes.analyze([image])
        assert sorted(found.class_id[:2]) == sorted(classes)
        for box in found.xyxy[:2]:
            assert np.abs(exact.xyxy[:2] - box).max(axis=1).min() < 3
        assert in_bytes(found) != in_bytes(exact)
