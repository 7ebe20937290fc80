"""Tiny ONNX networks, made here: each output depends on the image, and every value in it is known."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEIGHT = 160, 128
STRIDES = (8, 16, 32)
OPSET = [helper.make_opsetid("", 17)]


class Graph:
    """A graph in the making."""

    def __init__(self, input_shape, input_type=TensorProto.FLOAT):
        self.inputs = [helper.make_tensor_value_info("images", input_type, input_shape)]
        self.outputs, self.nodes, self.tensors = [], [], []

    def constant(self, values, dtype=np.float32):
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def node(self, kind, *inputs, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def output(self, value, name, kind=TensorProto.FLOAT, shape=None):
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def save(self, path: Path, **changes) -> Path:
        graph = helper.make_graph(self.nodes, "tiny", self.inputs, self.outputs, self.tensors)
        onnx.save(helper.make_model(graph, opset_imports=OPSET, ir_version=8), str(path), **changes)
        return path


def features(graph, image, stride, channels, seed, scale):
    """(1, channels, height / stride, width / stride) by one convolution with random weights."""
    random = np.random.default_rng(seed)
    shape = (channels, 3, stride, stride)
    weights = random.normal(0, scale / stride, shape).astype(np.float32)
    weights -= weights.mean(axis=(1, 2, 3), keepdims=True)  # contrast counts, not brightness
    return graph.node("Conv", image, graph.constant(weights), strides=[stride, stride])


def rows(graph, value, channels):
    """(1, channels, h, w) as (1, h · w, channels)."""
    flat = graph.node("Reshape", value, graph.constant([1, channels, -1], np.int64))
    return graph.node("Transpose", flat, perm=[0, 2, 1])


def probabilities(graph, value, bias):
    return graph.node("Sigmoid", graph.node("Add", value, graph.constant(bias)))


def yolox(path, labels=3, shape=(1, 3, HEIGHT, WIDTH)):
    """Raw YOLOX: offsets, log sizes, then probabilities; pixels come as 0 to 255."""
    graph = Graph(shape)
    levels = []
    for seed, stride in enumerate(STRIDES):
        box = features(graph, "images", stride, 4, seed, 0.01)
        scores = probabilities(graph, features(graph, "images", stride, 1 + labels, seed + 10, 0.015), 0.0)
        levels.append(rows(graph, graph.node("Concat", box, scores, axis=1), 5 + labels))
    graph.output(graph.node("Concat", *levels, axis=1), "output")
    return graph.save(path)


def yolov8(path, labels=3, shape=(1, 3, HEIGHT, WIDTH), input_type=TensorProto.FLOAT, **changes):
    """Ultralytics' layout: centres and sizes in pixels over probabilities; pixels come as 0 to 1."""
    graph = Graph(shape, input_type)
    image = (
        "images" if input_type == TensorProto.FLOAT else graph.node("Cast", "images", to=TensorProto.FLOAT)
    )
    if shape[1] != 3:  # (1, height, width, 3)
        image = graph.node("Transpose", image, perm=[0, 3, 1, 2])
    levels = []
    for seed, stride in enumerate(STRIDES):
        moves = graph.node("Mul", features(graph, image, stride, 2, seed, 0.5), graph.constant(float(stride)))
        centers = graph.node("Add", moves, graph.constant(centers_of(stride)))
        sizes = graph.node("Exp", graph.node("Clip", features(graph, image, stride, 2, seed + 20, 0.5),
                                             graph.constant(-2.0), graph.constant(1.0)))  # fmt: skip
        sizes = graph.node("Mul", sizes, graph.constant(float(3 * stride)))
        scores = probabilities(graph, features(graph, image, stride, labels, seed + 10, 4.0), -2.0)
        joined = graph.node("Concat", centers, sizes, scores, axis=1)
        levels.append(graph.node("Reshape", joined, graph.constant([1, 4 + labels, -1], np.int64)))
    graph.output(graph.node("Concat", *levels, axis=2), "output0")
    return graph.save(path, **changes)


def centers_of(stride):
    y, x = np.indices((HEIGHT // stride, WIDTH // stride), dtype=np.float32)
    return ((np.stack((x, y)) + 0.5) * stride)[None]


def detr(path, labels=3, *, decoded=False, names=("logits", "pred_boxes")):
    """RT-DETR: logits and boxes of 80 queries, or what its deployment export makes of them."""
    graph = Graph((1, 3, HEIGHT, WIDTH))
    boxes = probabilities(graph, features(graph, "images", 16, 4, 1, 4.0), 0.0)
    logits = graph.node("Add", features(graph, "images", 16, labels, 2, 4.0), graph.constant(-2.0))
    boxes, logits = rows(graph, boxes, 4), rows(graph, logits, labels)
    if not decoded:
        graph.output(logits, names[0])
        graph.output(boxes, names[1])
        return graph.save(path)
    graph.inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["N", 2]))
    scores = graph.node("Sigmoid", logits)
    best = graph.node("ReduceMax", scores, axes=[2], keepdims=0)
    label = graph.node("ArgMax", scores, axis=2, keepdims=0)
    center = graph.node("Slice", boxes, *(graph.constant(v, np.int64) for v in ([0], [2], [2])))
    half = graph.node(
        "Mul",
        graph.node("Slice", boxes, *(graph.constant(v, np.int64) for v in ([2], [4], [2]))),
        graph.constant(0.5),
    )
    corners = graph.node("Concat", graph.node("Sub", center, half), graph.node("Add", center, half), axis=2)
    size = graph.node("Cast", "orig_target_sizes", to=TensorProto.FLOAT)
    sizes = graph.node("Unsqueeze", graph.node("Concat", size, size, axis=1), graph.constant([1], np.int64))
    graph.output(label, "labels", TensorProto.INT64)
    graph.output(graph.node("Mul", corners, sizes), "boxes")
    graph.output(best, "scores")
    return graph.save(path)


def hungry(path):
    """Asks for 64 GiB as soon as it looks at an image."""
    graph = Graph((1, 3, HEIGHT, WIDTH))
    least = graph.node("ReduceMin", "images", keepdims=0)
    count = graph.node(
        "Add", graph.node("Cast", least, to=TensorProto.INT64), graph.constant(2**34, np.int64)
    )
    shape = graph.node("Reshape", count, graph.constant([1], np.int64))
    graph.output(graph.node("ReduceSum", graph.node("ConstantOfShape", shape), keepdims=0), "output0")
    return graph.save(path)


def endless(path):
    """Counts to 2**62 as soon as it looks at an image."""
    graph = Graph((1, 3, HEIGHT, WIDTH))
    least = graph.node("ReduceMin", "images", keepdims=0)
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["sum", "sum"], ["new_sum"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("new_sum", TensorProto.FLOAT, []),
        ],
    )
    looped = graph.node("Loop", graph.constant(2**62, np.int64), graph.constant(True, bool), least, body=body)
    graph.output(looped, "output0")
    return graph.save(path)


def chance(path):
    """Other boxes each time."""
    graph = Graph((1, 3, HEIGHT, WIDTH))
    nothing = graph.node("Mul", graph.node("ReduceMin", "images", keepdims=0), graph.constant(0.0))
    boxes = graph.node("RandomUniform", dtype=TensorProto.FLOAT, shape=[1, 4, 420], low=50.0, high=90.0)
    scores = graph.node("RandomUniform", dtype=TensorProto.FLOAT, shape=[1, 3, 420])
    graph.output(graph.node("Add", graph.node("Concat", boxes, scores, axis=1), nothing), "output0")
    return graph.save(path)
