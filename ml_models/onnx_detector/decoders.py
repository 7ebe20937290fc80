"""What the outputs of each family of networks mean, by the official description of each."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ml_models.anchors import anchor_cells
from ml_models.base import FloatArray
from ml_models.errors import ModelConfigError, ModelOutputError
from ml_models.nms import non_maximum_suppression
from ml_models.onnx_detector.config import Family
from ml_models.onnx_detector.network import Network
from ml_models.yolox.decoding import STRIDES, decode

_MOST_DETECTIONS = 300
"""In one image, of Ultralytics' models."""

Found = tuple[FloatArray, FloatArray, NDArray[np.int64]]
"""Boxes (n, 4) as corners in pixels of the input, scores and class ids (n,)."""


class Decoder(Protocol):
    """Reads the outputs of one network; making it checks that they are of its family."""

    names: list[str]
    """The outputs it reads."""

    def decode(self, outputs: list[NDArray[Any]]) -> Found:
        """What these outputs say, from the floor up, duplicates removed."""


def make_decoder(family: Family, network: Network, labels: int, floor: float, max_iou: float) -> Decoder:
    """The decoder of a family for a network.

    Raises:
        ModelConfigError: The outputs are not those of the family, or tell another number of labels apart.
    """
    if family is Family.YOLOX:
        return _YOLOX(network, labels, floor, max_iou)
    if family is Family.YOLOV8:
        return _YOLOv8(network, labels, floor, max_iou)
    if len(network.outputs) == 3:
        return _DecodedDETR(network, labels, floor)
    return _RawDETR(network, labels, floor)


class _YOLOX:
    """One output (1, anchors, 5 + labels), as YOLOX' own export_onnx.py writes it without decoding."""

    def __init__(self, network: Network, labels: int, floor: float, max_iou: float) -> None:
        name, shape = _only_output(network, Family.YOLOX)
        self.names = [name]
        self._floor, self._max_iou = floor, max_iou
        self._cells, self._strides = anchor_cells(*network.input_size, STRIDES)
        anchors = len(self._strides)
        if len(shape) != 3 or shape[1] != anchors or shape[2] < 6:
            raise _wrong_family(Family.YOLOX, f"(1, {anchors}, 5 + labels)", network)
        _check_labels(shape[2] - 5, labels)

    def decode(self, outputs: list[NDArray[Any]]) -> Found:
        boxes, scores, class_ids = decode(
            outputs[0][0].astype(np.float32, copy=False), self._cells, self._strides, self._floor
        )
        kept = non_maximum_suppression(boxes, scores, self._max_iou, class_ids)
        return boxes[kept], scores[kept], class_ids[kept]


class _YOLOv8:
    """One output (1, 4 + labels, anchors): centre and size in pixels, then a probability of each label.

    That is what Ultralytics exports for YOLOv8, YOLOv9, YOLO11 and YOLO12; suppression is that of its
    `non_max_suppression` with one label a box.
    """

    def __init__(self, network: Network, labels: int, floor: float, max_iou: float) -> None:
        name, shape = _only_output(network, Family.YOLOV8)
        self.names = [name]
        self._floor, self._max_iou = floor, max_iou
        if len(shape) != 3 or not 5 <= shape[1] < max(shape[2], 6):
            raise _wrong_family(Family.YOLOV8, "(1, 4 + labels, anchors)", network)
        _check_labels(shape[1] - 4, labels)

    def decode(self, outputs: list[NDArray[Any]]) -> Found:
        output = outputs[0][0].astype(np.float32, copy=False)
        best = output[4:].max(axis=0)
        found = np.flatnonzero(best >= self._floor)
        boxes, scores, class_ids = (
            _corners(output[:4, found].T),
            best[found],
            output[4:, found].argmax(axis=0),
        )
        kept = non_maximum_suppression(boxes, scores, self._max_iou, class_ids)[:_MOST_DETECTIONS]
        return boxes[kept], scores[kept], class_ids[kept]


class _RawDETR:
    """Logits (1, queries, labels) and boxes (1, queries, 4): centre and size as shares of the input.

    By RT-DETR's and D-FINE's postprocessor: the probability is the logistic function of the logit, and the
    best of all pairs of query and label count, as many as there are queries.
    """

    def __init__(self, network: Network, labels: int, floor: float) -> None:
        self._floor = floor
        self._scale = np.array(network.input_size * 2, dtype=np.float32)
        boxes, logits = _raw_names(network)
        self.names = [boxes, logits]
        boxes_shape, logits_shape = (network.outputs[name].shape for name in self.names)
        if len(logits_shape) != 3 or boxes_shape != (1, logits_shape[1], 4):
            raise _wrong_family(Family.RT_DETR, _DETR_SHAPES, network)
        _check_labels(logits_shape[2], labels)

    def decode(self, outputs: list[NDArray[Any]]) -> Found:
        boxes, logits = (output[0].astype(np.float32, copy=False) for output in outputs)
        scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
        best = np.argsort(-scores, axis=None, kind="stable")[: len(boxes)]
        queries, class_ids = np.divmod(best, logits.shape[1])
        chosen = scores[queries, class_ids].astype(np.float32)
        reaches = chosen >= self._floor
        corners = _corners(boxes[queries[reaches]]) * self._scale
        return corners, chosen[reaches], class_ids[reaches]


class _DecodedDETR:
    """Labels, boxes and scores, as the deployment exports of RT-DETR and D-FINE give them.

    Their other input is the size that boxes are scaled to; it gets that of the input.
    """

    def __init__(self, network: Network, labels: int, floor: float) -> None:
        self._floor, self._labels = floor, labels
        shapes = {name: output.shape for name, output in network.outputs.items()}
        if set(shapes) != {"labels", "boxes", "scores"}:
            raise _wrong_family(Family.RT_DETR, _DETR_SHAPES, network)
        queries = shapes["scores"][-1] if shapes["scores"] else 0
        right = {"labels": (1, queries), "boxes": (1, queries, 4), "scores": (1, queries)}
        if shapes != right or not np.issubdtype(network.outputs["labels"].dtype, np.integer):
            raise _wrong_family(Family.RT_DETR, _DETR_SHAPES, network)
        self.names = ["boxes", "scores", "labels"]

    def decode(self, outputs: list[NDArray[Any]]) -> Found:
        boxes, scores, class_ids = (output[0] for output in outputs)
        reaches = scores >= self._floor
        class_ids = class_ids[reaches].astype(np.int64)
        if len(class_ids) and not 0 <= class_ids.min() <= class_ids.max() < self._labels:
            wrong = class_ids[(class_ids < 0) | (class_ids >= self._labels)][0]
            raise ModelOutputError(
                f"labels: the model found a thing of class {wrong}, but the configuration has only the "
                f"classes 0 to {self._labels - 1}"
            )
        return boxes[reaches].astype(np.float32), scores[reaches].astype(np.float32), class_ids


_DETR_SHAPES = (
    "labels (1, queries), boxes (1, queries, 4) and scores (1, queries), or logits (1, queries, labels) and "
    "boxes (1, queries, 4)"
)


def _only_output(network: Network, family: Family) -> tuple[str, tuple[int, ...]]:
    if len(network.outputs) != 1:
        raise _wrong_family(family, "one output", network)
    ((name, output),) = network.outputs.items()
    if not np.issubdtype(output.dtype, np.floating) or output.shape[:1] != (1,):
        raise _wrong_family(family, "one output of floating point numbers for one image", network)
    return name, output.shape


def _raw_names(network: Network) -> tuple[str, str]:
    """The names of the outputs for boxes and logits: by what they are called, else by their shapes."""
    names = list(network.outputs)
    if len(names) != 2:
        raise _wrong_family(Family.RT_DETR, _DETR_SHAPES, network)
    called = [name for name in names if "box" in name.lower()]
    if len(called) != 1:
        called = [name for name in names if network.outputs[name].shape[-1:] == (4,)]
    if len(called) != 1:
        raise ModelConfigError(
            "family",
            f"which of the outputs {', '.join(names)} are boxes cannot be told: name one 'pred_boxes'",
        )
    names.remove(called[0])
    return called[0], names[0]


def _check_labels(told: int, labels: int) -> None:
    if told != labels:
        raise ModelConfigError(
            "labels", f"the configuration has {labels}, but the model tells {told} classes apart"
        )


def _wrong_family(family: Family, expected: str, network: Network) -> ModelConfigError:
    given = ", ".join(f"{name} {output.shape}" for name, output in network.outputs.items())
    guess = _looks_like(network)
    hint = f"; that looks like {guess.value}" if guess not in (None, family) else ""
    return ModelConfigError(
        "family", f"a model of the family {family.value} gives {expected}, this one gives {given}{hint}"
    )


def _looks_like(network: Network) -> Family | None:
    """The family whose outputs these might be."""
    outputs: Mapping[str, NDArray[Any]] = network.outputs
    if len(outputs) in (2, 3):
        return Family.RT_DETR
    shapes = [output.shape for output in outputs.values()]
    if len(shapes) != 1 or len(shapes[0]) != 3:
        return None
    anchors = sum(
        (side // stride) * (other // stride) for stride in STRIDES for side, other in [network.input_size]
    )
    if shapes[0][1] == anchors:
        return Family.YOLOX
    return Family.YOLOV8 if shapes[0][2] == anchors else None


def _corners(boxes: FloatArray) -> FloatArray:
    """Centre and size (n, 4) as corners."""
    halves = boxes[:, 2:] / 2
    return np.concatenate((boxes[:, :2] - halves, boxes[:, :2] + halves), axis=1)
