"""YOLOX against a reference written here from its paper and its published `postprocess`, box by box."""

import dataclasses
import math

import cv2
import numpy as np
import onnxruntime as ort
import pytest

from ml_models.catalog import find_spec
from ml_models.coco import COCO_LABELS
from ml_models.errors import ModelLoadError
from ml_models.factory import create_ml_model
from ml_models.yolox.model import YOLOX
from tests.ml_models.clips import in_bytes, read_frames


@pytest.fixture(scope="module")
def frames(media_dir):
    return (
        read_frames(media_dir / "bottle-detection.mp4", step=90)
        + read_frames(media_dir / "one-by-one-person-detection.mp4", step=110)
        + read_frames(media_dir / "short_hamilton_clip.mp4", step=30)
        + [cv2.imread(str(media_dir / "biden.jpg")), cv2.imread(str(media_dir / "two_people.jpg"))]
    )


def reference(session, frame, floor):
    """(score, class id, box) of each thing, best first."""
    height, width = frame.shape[:2]
    ratio = min(416 / height, 416 / width)
    size = (int(width * ratio), int(height * ratio))
    padded = np.full((416, 416, 3), 114, np.uint8)
    padded[: size[1], : size[0]] = cv2.resize(frame, size)
    (output,) = session.run(None, {"images": padded.transpose(2, 0, 1)[None].astype(np.float32)})
    candidates = []
    anchor = 0
    for stride in (8, 16, 32):
        for row in range(416 // stride):
            for column in range(416 // stride):
                values = output[0, anchor].tolist()
                anchor += 1
                class_id = max(range(80), key=lambda index: values[5 + index])
                score = values[4] * values[5 + class_id]
                if score < floor:
                    continue
                x, y = (values[0] + column) * stride, (values[1] + row) * stride
                w, h = math.exp(values[2]) * stride, math.exp(values[3]) * stride
                candidates.append((score, class_id, (x - w / 2, y - h / 2, x + w / 2, y + h / 2)))
    assert anchor == output.shape[1]
    kept = []
    for candidate in sorted(candidates, key=lambda candidate: -candidate[0]):
        if all(candidate[1] != other[1] or iou(candidate[2], other[2]) <= 0.45 for other in kept):
            kept.append(candidate)
    to_frame = (width / size[0], height / size[1]) * 2
    limits = (width, height) * 2
    return [
        (
            score,
            class_id,
            [
                min(max(value * factor, 0), limit)
                for value, factor, limit in zip(box, to_frame, limits, strict=True)
            ],
        )
        for score, class_id, box in kept
    ]


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height)


def test_things_are_those_of_the_reference(weights_dir, frames):
    spec = find_spec("yolox-nano")
    model = create_ml_model("yolox-nano", weights_dir=weights_dir)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        str(weights_dir / spec.weights.file_name), options, providers=["CPUExecutionProvider"]
    )
    compared = 0
    for frame in frames:
        expected = reference(session, frame, spec.floor_confidence)
        (found,) = model.analyze([frame])
        assert len(found) == len(expected)
        for index, (score, class_id, box) in enumerate(expected):
            assert found.confidence[index] == pytest.approx(score, abs=0.001)
            assert found.class_id[index] == class_id
            assert found.xyxy[index] == pytest.approx(box, abs=1)
        compared += len(expected)
    assert compared > 100


def test_what_passes_a_threshold_does_not_depend_on_the_floor(weights_dir, frames):
    spec = find_spec("yolox-nano")
    path = weights_dir / spec.weights.file_name
    strict = dataclasses.replace(spec, floor_confidence=0.4)
    low, high = (YOLOX(each, weights_path=path) for each in (spec, strict))
    for frame in frames[:10]:
        (everything,), (strong,) = low.analyze([frame]), high.analyze([frame])
        assert in_bytes(everything[everything.confidence >= 0.4]) == in_bytes(strong)


def test_labels_are_coco_in_its_order():
    assert len(set(COCO_LABELS)) == 80
    assert [COCO_LABELS[index] for index in (0, 24, 39, 56, 79)] == [
        "person", "backpack", "bottle", "chair", "toothbrush",
    ]  # fmt: skip


def test_weights_that_do_not_fit_the_labels_are_refused(weights_dir):
    spec = dataclasses.replace(find_spec("yolox-nano"), labels=("person", "bottle"))
    model = YOLOX(spec, weights_path=weights_dir / spec.weights.file_name)
    with pytest.raises(
        ModelLoadError, match=r"the model yolox-nano cannot be loaded: .* does not fit 2 labels"
    ):
        model.analyze([np.zeros((8, 8, 3), np.uint8)])


def test_a_file_that_is_no_network_is_refused(tmp_path):
    path = tmp_path / "yolox_nano.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(ModelLoadError, match="the model yolox-nano cannot be loaded"):
        YOLOX(find_spec("yolox-nano"), weights_path=path).analyze([np.zeros((8, 8, 3), np.uint8)])
