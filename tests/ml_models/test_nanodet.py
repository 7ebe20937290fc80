"""NanoDet against a reference written here from OpenCV's model zoo and the paper of its loss, box by box."""

import dataclasses
import math

import cv2
import numpy as np
import onnxruntime as ort
import pytest

from ml_models.catalog import find_spec
from ml_models.errors import ModelLoadError
from ml_models.factory import create_ml_model
from ml_models.nanodet.model import NanoDet
from tests.ml_models.clips import in_bytes, read_frames

SIDE, BINS, MAX_IOU = 416, 8, 0.6
MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)


@pytest.fixture(scope="module")
def frames(media_dir):
    """200 frames, wide and high ones, and two photos."""
    upright = [frame.transpose(1, 0, 2).copy() for frame in read_frames(media_dir / "nasa_13013.mp4", 9, 20)]
    return [
        *read_frames(media_dir / "bottle-detection.mp4", step=10, limit=60),
        *read_frames(media_dir / "one-by-one-person-detection.mp4", step=20, limit=70),
        *read_frames(media_dir / "short_hamilton_clip.mp4", step=5, limit=48),
        *upright,
        cv2.imread(str(media_dir / "biden.jpg")),
        cv2.imread(str(media_dir / "two_people.jpg")),
    ]


def reference(session, frame, floor):
    """(score, class id, box) of each thing, best first."""
    height, width = frame.shape[:2]
    if height > width:
        new_height, new_width = SIDE, int(SIDE / (height / width))
    else:
        new_height, new_width = int(SIDE * (height / width)), SIDE
    top, left = int((SIDE - new_height) / 2), int((SIDE - new_width) / 2)
    square = np.zeros((SIDE, SIDE, 3), np.float32)
    square[top : top + new_height, left : left + new_width] = cv2.resize(
        frame, (new_width, new_height), interpolation=cv2.INTER_AREA
    )
    square = (square - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    outputs = session.run(None, {"input.1": np.ascontiguousarray(square.transpose(2, 0, 1)[None])})
    scores_of = {len(output[0]): output[0] for output in outputs if output.shape[2] == 80}
    sides_of = {len(output[0]): output[0] for output in outputs if output.shape[2] == 4 * BINS}
    candidates = []
    for stride in (8, 16, 32):
        cells = SIDE // stride
        scores = scores_of[cells * cells]
        for anchor in np.flatnonzero(scores.max(axis=1) >= floor):
            class_id = int(scores[anchor].argmax())
            row, column = divmod(int(anchor), cells)
            x, y = (at * stride + (stride - 1) / 2 for at in (column, row))
            left_, top_, right, bottom = (
                stride * expected_distance(sides_of[cells * cells][anchor, side * BINS : (side + 1) * BINS])
                for side in range(4)
            )
            box = [min(max(v, 0), SIDE) for v in (x - left_, y - top_, x + right, y + bottom)]
            candidates.append((float(scores[anchor, class_id]), class_id, box))
    kept = []
    for candidate in sorted(candidates, key=lambda candidate: -candidate[0]):
        if all(iou(candidate[2], other[2]) <= MAX_IOU for other in kept):
            kept.append(candidate)
    ratios = (width / new_width, height / new_height) * 2
    found = []
    for score, class_id, box in kept:
        moved = [(v - shift) * ratio for v, shift, ratio in zip(box, (left, top) * 2, ratios, strict=True)]
        x1, y1, x2, y2 = (min(max(v, 0), limit) for v, limit in zip(moved, (width, height) * 2, strict=True))
        if x2 > x1 and y2 > y1:  # what lies in the border alone is no thing
            found.append((score, class_id, [x1, y1, x2, y2]))
    return found


def expected_distance(logits):
    """In strides: the mean of the distribution that a softmax makes of the bins."""
    powers = [math.exp(value) for value in logits.tolist()]
    return sum(index * power for index, power in enumerate(powers)) / sum(powers)


def iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height)


def test_things_are_those_of_the_reference(weights_dir, frames):
    spec = find_spec("nanodet-m-416")
    model = create_ml_model("nanodet-m-416", weights_dir=weights_dir)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    path = str(weights_dir / spec.weights.file_name)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    assert len(frames) == 200
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
    assert compared > 500


def test_what_passes_a_threshold_does_not_depend_on_the_floor(weights_dir, frames):
    spec = find_spec("nanodet-m-416")
    path = weights_dir / spec.weights.file_name
    strict = dataclasses.replace(spec, floor_confidence=0.35)
    low, high = (NanoDet(each, weights_path=path) for each in (spec, strict))
    for frame in frames[::25]:
        (everything,), (strong,) = low.analyze([frame]), high.analyze([frame])
        assert in_bytes(everything[everything.confidence >= 0.35]) == in_bytes(strong)


def test_weights_that_do_not_fit_the_labels_are_refused(weights_dir):
    spec = dataclasses.replace(find_spec("nanodet-m-416"), labels=("person", "bottle"))
    model = NanoDet(spec, weights_path=weights_dir / spec.weights.file_name)
    with pytest.raises(ModelLoadError, match=r"the model nanodet-m-416 cannot be loaded: .* 2 labels"):
        model.analyze([np.zeros((8, 8, 3), np.uint8)])
