"""The generic detector against references written from each family's official description, on real frames."""

import hashlib

import numpy as np
import onnxruntime as ort
import pytest

from ml_models.factory import create_ml_model
from ml_models.onnx_detector.config import read_config
from ml_models.onnx_detector.spec import detector_spec, file_name_of
from tests.ml_models import onnx_detector_references as references
from tests.ml_models import onnx_graphs as graphs
from tests.ml_models.clips import in_bytes, read_frames

LABELS = "labels: [bolt, nut, washer]"


@pytest.fixture(scope="module")
def frames(media_dir):
    """200 frames; a few upright ones among them."""
    upright = [frame.transpose(1, 0, 2).copy() for frame in read_frames(media_dir / "nasa_13013.mp4", 9, 20)]
    odd = [frame[:333, :217].copy() for frame in read_frames(media_dir / "bottle-detection.mp4", 60, 10)]
    return [
        *read_frames(media_dir / "bottle-detection.mp4", step=10, limit=60),
        *read_frames(media_dir / "one-by-one-person-detection.mp4", step=20, limit=62),
        *read_frames(media_dir / "short_hamilton_clip.mp4", step=5, limit=48),
        *upright,
        *odd,
    ]


def detector(path, config, **changes):
    """The model of a file and a configuration, as an analysis process makes it."""
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    stored = path.with_name(file_name_of(sha256))
    stored.write_bytes(data)
    spec = detector_spec(read_config(f"name: own-bolts\n{config}"), sha256=sha256, size_bytes=len(data))
    return create_ml_model(spec, weights_dir=path.parent, **changes)


def assert_same(found, expected):
    """The same things, whatever the order of those that are equally certain."""
    assert len(found) == len(expected)
    assert found.confidence == pytest.approx([score for score, _, _ in expected], abs=0.001)
    left = set(range(len(found)))
    for score, class_id, box in expected:
        near = [
            index
            for index in left
            if found.class_id[index] == class_id
            and abs(found.confidence[index] - score) <= 0.001
            and np.abs(found.xyxy[index] - box).max() <= 1
        ]
        assert near, (score, class_id, box)
        left.remove(near[0])


def session_of(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("graph", "config", "reference"),
    [
        (graphs.yolox, "family: yolox", references.yolox),
        (graphs.yolov8, "family: yolo11", references.yolov8),
        (graphs.detr, "family: rt-detr", references.detr),
        (lambda path: graphs.detr(path, decoded=True), "family: d-fine", references.decoded_detr),
    ],
    ids=["yolox", "yolov8", "rt-detr", "d-fine, decoded"],
)
def test_things_are_those_of_the_reference(tmp_path, frames, graph, config, reference):
    path = graph(tmp_path / "model.onnx")
    model, session = detector(path, f"{config}\n{LABELS}"), session_of(path)
    assert len(frames) == 200
    compared, labels = 0, set()
    for frame in frames:
        expected = reference(session, frame)
        (found,) = model.analyze([frame])
        assert_same(found, expected)
        compared += len(expected)
        labels.update(found.data["class_name"])
    assert compared > 1000
    assert labels == {"bolt", "nut", "washer"}


def test_channels_last_and_open_sizes_give_the_same(tmp_path, frames):
    """The same network with its input as (1, height, width, 3), and with a size that the file leaves open."""
    size = f"input_size: [{graphs.WIDTH}, {graphs.HEIGHT}]"
    usual = detector(graphs.yolov8(tmp_path / "a.onnx"), f"family: yolov8\n{LABELS}")
    last = detector(
        graphs.yolov8(tmp_path / "b.onnx", shape=(1, "h", "w", 3)),
        f"family: yolov8\n{LABELS}\nlayout: NHWC\n{size}",
    )
    open_ = detector(
        graphs.yolov8(tmp_path / "c.onnx", shape=("n", 3, "h", "w")),
        f"family: yolov8\n{LABELS}\n{size}",
    )
    for frame in frames[::40]:
        results = [in_bytes(model.analyze([frame])[0]) for model in (usual, last, open_)]
        assert results[0] == results[1] == results[2]


def test_normalisation_is_the_documented_one(tmp_path, frames):
    """Mean and deviation, channels and range are applied as (pixel - mean) / std to each channel."""
    path = graphs.yolov8(tmp_path / "model.onnx")
    config = (
        f"family: yolov8\n{LABELS}\nmean: [0.485, 0.456, 0.406]\nstd: [0.229, 0.224, 0.225]\nchannels: BGR"
    )
    model = detector(path, config)
    frame = frames[0]
    model.analyze([frame])
    image, _, _, _ = references.ultralytics_input(frame)
    expected = (image[:, :, ::-1] - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert model._make_input(frame)[0].transpose(1, 2, 0) == pytest.approx(expected, abs=1e-5)


def test_what_passes_a_threshold_does_not_depend_on_the_floor(tmp_path, frames):
    for name, graph in (("yolox", graphs.yolox), ("yolov8", graphs.yolov8), ("rt-detr", graphs.detr)):
        path = graph(tmp_path / f"{name}.onnx")
        low = detector(path, f"family: {name}\n{LABELS}\nfloor_confidence: 0.2")
        high = detector(path, f"family: {name}\n{LABELS}\nfloor_confidence: 0.5\ndefault_confidence: 0.5")
        (everything,), (strong,) = low.analyze(frames[:1]), high.analyze(frames[:1])
        assert len(everything) > len(strong) > 0
        assert in_bytes(everything[everything.confidence >= 0.5]) == in_bytes(strong)


def test_sizes_from_one_pixel_to_huge(tmp_path):
    model = detector(graphs.yolov8(tmp_path / "model.onnx"), f"family: yolov8\n{LABELS}")
    for width, height in ((1, 1), (3000, 1), (1, 3000), (5000, 3000)):
        (found,) = model.analyze([np.full((height, width, 3), 77, np.uint8)])
        assert (found.xyxy <= [width, height, width, height]).all()


def test_the_fingerprint_changes_with_file_and_configuration():
    config = f"name: own-bolts\nfamily: yolov8\n{LABELS}\n"

    def fingerprint(text, sha256="a" * 64):
        return detector_spec(read_config(text), sha256=sha256, size_bytes=9).fingerprint()

    usual = fingerprint(config)
    assert usual == fingerprint(config + "description: another\ndefault_confidence: 0.6")
    others = (
        "max_iou: 0.6",
        "fit: stretch",
        "channels: BGR",
        "mean: [1, 1, 1]",
        "input_size: [64, 64]",
        "pixels: 0-255",
    )
    changed = [fingerprint(config + other) for other in others]
    changed += [fingerprint(config, "b" * 64), fingerprint(config.replace("bolt,", "screw,"))]
    assert len({usual, *changed}) == len(changed) + 1
