"""What is wrong with a model somebody brings is said on load, with the name of the field."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from ml_models.errors import MLModelError, ModelConfigError, ModelOutputError
from ml_models.onnx_detector.config import DetectorConfig, read_config
from ml_models.onnx_detector.graph import check_file
from ml_models.onnx_detector.model import ONNXDetector
from ml_models.onnx_detector.spec import detector_spec
from ml_models.onnx_detector.transfer import spec_of_values, spec_values
from tests.ml_models import onnx_graphs as graphs
from tests.ml_models.test_onnx_detector import LABELS, detector

FRAME = np.zeros((90, 120, 3), np.uint8)
GOOD = f"name: own-bolts\nfamily: yolov8\n{LABELS}\n"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (GOOD.replace("own-bolts", "bolts"), "name: must be 'own-' and then"),
        (GOOD.replace("own-bolts", "own-Bolts"), "name: must be"),
        (GOOD.replace("name: own-bolts", ""), "name: must be"),
        (GOOD.replace("yolov8", "yolo99"), "family: must be one of yolox, yolov8"),
        (GOOD.replace(LABELS, ""), "labels: must be a list of 1 to 10000 names"),
        (GOOD.replace(LABELS, "labels: []"), "labels: must be"),
        (GOOD.replace(LABELS, "labels: [a, b, a]"), "labels: 'a' is there twice"),
        (GOOD.replace(LABELS, "labels: [a, yes]"), "labels: 'True' is no name"),
        (GOOD.replace(LABELS, "labels: ['']"), "labels: '' is no name"),
        (GOOD + "input_size: 640", r"input_size: must be \[width, height\]"),
        (GOOD + "input_size: [640, 1000000]", "input_size: must be"),
        (GOOD + "layout: NCWH", "layout: must be one of NCHW, NHWC"),
        (GOOD + "mean: [1, 2]", "mean: must be a list of three numbers"),
        (GOOD + "mean: [1, 2, .nan]", "mean: must be a list of three numbers"),
        (GOOD + "std: [1, 0, 1]", "std: must not be 0"),
        (
            GOOD + "floor_confidence: 0.5\ndefault_confidence: 0.4",
            "default_confidence: must be a number from 0.5",
        ),
        (GOOD + "max_iou: high", "max_iou: must be a number from 0 to 1"),
        (GOOD + "chanels: RGB", r"chanels: is no field of a configuration: did you mean channels"),
        (GOOD + "task: SINGING", "task: must be one of OBJECT_DETECTION"),
        ("- a\n- b", "config: must be a YAML mapping"),
        (GOOD + "family: yolox", "family: is there twice"),
        (GOOD + "'family': yolov8", "family: is there twice"),
        (GOOD + "mean: [{a: 1, a: 2}]", "a: is there twice"),
        ("", "config: must be a YAML mapping"),
        ("a: [", "config: is no YAML"),
        ("a: !!python/object/apply:os.getcwd []", "config: is no YAML"),
        ("x" * 70_000, "config: is longer than 65536 bytes"),
    ],
)
def test_a_wrong_configuration_names_the_field(config, message):
    with pytest.raises(ModelConfigError, match=f"^{message}"):
        read_config(config)


def test_a_configuration_goes_through_json():
    config = read_config(GOOD + "input_size: [64, 32]\nmean: [1, 2, 3]")
    assert DetectorConfig.from_values(config.to_values()) == config
    spec = detector_spec(config, sha256="a" * 64, size_bytes=7)
    again = spec_of_values(spec_values(spec))
    assert again == spec
    assert again.fingerprint() == spec.fingerprint()


def test_weights_that_a_file_keeps_elsewhere_are_not_looked_for(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(10**6))
    path = graphs.yolov8(
        tmp_path / "outside.onnx", save_as_external_data=True, location="w", size_threshold=0
    )
    with pytest.raises(ModelConfigError, match=r"^file: keeps weights in other files \(external data\)"):
        check_file(path)
    check_file(graphs.yolov8(tmp_path / "inside.onnx"))


def test_external_data_is_found_however_deep_it_lies(tmp_path):
    """In a constant of the body of a loop, and in a function."""
    model = onnx.load(graphs.endless(tmp_path / "loop.onnx"))
    loop = next(node for node in model.graph.node if node.op_type == "Loop")
    tensor = onnx.numpy_helper.from_array(np.zeros(3, np.float32), "deep")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    constant = onnx.helper.make_node("Constant", [], ["deep"], value=tensor)
    loop.attribute[0].g.node.append(constant)
    path = tmp_path / "deep.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelConfigError, match="external data"):
        check_file(path)
    model = onnx.load(graphs.yolov8(tmp_path / "function.onnx"))
    model.functions.append(onnx.helper.make_function("own", "f", [], ["deep"], [constant], graphs.OPSET))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelConfigError, match="external data"):
        check_file(path)


@pytest.mark.parametrize(
    "data", [b"", b"not a network", b"\x08\x08", bytes(1000), b"\x89PNG\r\n\x1a\n" + bytes(99)]
)
def test_what_is_no_onnx_is_refused(tmp_path, data):
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelConfigError, match=r"^file: is no ONNX model"):
        check_file(path)


def test_a_cut_off_file_is_refused(tmp_path):
    path = graphs.yolov8(tmp_path / "whole.onnx")
    data = path.read_bytes()
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(ModelConfigError, match=r"^file: is no ONNX model"):
            check_file(path)


def test_a_missing_file_is_told(tmp_path):
    spec = detector_spec(read_config(GOOD), sha256="a" * 64, size_bytes=7)
    with pytest.raises(ModelConfigError, match=r"^file: cannot be read: No such file"):
        ONNXDetector(spec, weights_path=tmp_path / "nowhere.onnx").analyze([FRAME])


def fixed_batch(path):
    return graphs.yolov8(path, shape=(4, 3, graphs.HEIGHT, graphs.WIDTH))


def half(path):
    shape = (1, 3, graphs.HEIGHT, graphs.WIDTH)
    return graphs.yolov8(path, shape=shape, input_type=TensorProto.FLOAT16)


def open_size(path):
    return graphs.yolov8(path, shape=("n", 3, "h", "w"))


@pytest.mark.parametrize(
    ("graph", "config", "message"),
    [
        (graphs.yolov8, "family: yolov8\nlabels: [a, b]", "labels: the configuration has 2, but the model tells 3"),
        (graphs.yolox, "family: yolox\nlabels: coco", "labels: the configuration has 80, but the model tells 3"),
        (graphs.detr, "family: rt-detr\nlabels: [a]", "labels: the configuration has 1, but the model tells 3"),
        (graphs.yolox, f"family: yolov8\n{LABELS}", r"family: .* gives \(1, 4 \+ labels, anchors\), .* like yolox"),
        (graphs.yolov8, f"family: yolox\n{LABELS}", r"family: .* gives \(1, 420, 5 \+ labels\), .* like yolov8"),
        (graphs.detr, f"family: yolov8\n{LABELS}", "family: .* looks like rt-detr"),
        (graphs.yolov8, f"family: d-fine\n{LABELS}", r"family: .* labels \(1, queries\).* looks like yolov8"),
        (graphs.yolov8, f"family: yolov8\n{LABELS}\nlayout: NHWC", "layout: the input is .* try NCHW"),
        (graphs.yolov8, f"family: yolov8\n{LABELS}\ninput_size: [64, 64]", "input_size: is 64 x 64, but the file takes only 160 x 128"),
        (open_size, f"family: yolov8\n{LABELS}", "input_size: is needed, because the input is"),
        (fixed_batch, f"family: yolov8\n{LABELS}", "file: takes batches of 4 images"),
        (half, f"family: yolov8\n{LABELS}", r"file: its input 'images' is tensor\(float16\): export it"),
    ],
)  # fmt: skip
def test_a_model_that_does_not_fit_its_configuration_names_the_field(tmp_path, graph, config, message):
    model = detector(graph(tmp_path / "model.onnx"), config)
    with pytest.raises(ModelConfigError, match=f"^{message}"):
        model.analyze([FRAME])


def test_a_class_that_has_no_label_is_told(tmp_path):
    path = graphs.detr(tmp_path / "model.onnx", labels=5, decoded=True)
    model = detector(path, f"family: rt-detr\n{LABELS}")
    lively = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    with pytest.raises(ModelOutputError, match=r"^labels: the model found a thing of class [34], but"):
        model.analyze([lively])


def test_boxes_that_are_not_finite_are_told_in_words_of_the_user(tmp_path):
    path = graphs.yolov8(tmp_path / "model.onnx")
    network = onnx.load(path)
    last = network.graph.node[-1]
    limits = onnx.helper.make_tensor("factor", TensorProto.FLOAT, [1, 7, 1], [np.inf] * 4 + [1.0] * 3)
    network.graph.initializer.append(limits)
    network.graph.node.insert(
        len(network.graph.node) - 1, onnx.helper.make_node("Mul", [last.input[0], "factor"], ["grown"])
    )
    network.graph.node[-1].input[0] = "grown"
    onnx.save(network, path)
    lively = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    model = detector(path, f"family: yolov8\n{LABELS}\nfloor_confidence: 0")
    with pytest.raises(
        ModelOutputError, match=r"own-bolts gives boxes that are not finite \(inf or NaN\): check its export"
    ):
        model.analyze([lively])


def test_every_such_error_is_one_of_a_model():
    assert issubclass(ModelConfigError, MLModelError)
