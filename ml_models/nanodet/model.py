"""NanoDet (RangiLyu, 2020), a small anchor-free detector, with the weights of OpenCV's model zoo."""

from collections.abc import Sequence

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.base import AbstractImageAnalysisMLModel, FloatArray, Frame
from ml_models.nms import non_maximum_suppression
from ml_models.onnx import open_session
from ml_models.placement import NormalizedInput, Placement
from ml_models.scaling import size_factors

_STRIDES = (8, 16, 32, 64)
_BINS = 8
_MAX_IOU = 0.6
_MOST_PER_STRIDE = 1000
_MEAN = (103.53, 116.28, 123.675)
_STD = (57.375, 57.12, 58.395)


class NanoDet(AbstractImageAnalysisMLModel):
    """Things with the labels of the spec.

    Pre- and post-processing are those of OpenCV's model zoo: the frame is scaled by areas into the middle of
    a black square; of each anchor the most probable class counts; suppression crosses classes. Each side of
    a box is the mean of a distribution over distances from the anchor (Li et al.: Generalized Focal Loss,
    2020). Channels stay in the order of mean and standard deviation, blue first, as NanoDet was trained: the
    zoo's demo swaps them, which lowers the scores of its own weights.
    """

    def _load(self) -> None:
        self._session = open_session(self.weights_path, self.compute)
        model_input = self._session.get_inputs()[0]
        self._input_name = model_input.name
        height, width = model_input.shape[2:]
        self._input_size = (width, height)
        self._levels = self._find_levels()
        self._outputs = [name for level in self._levels for name in level[:2]]
        self._distances = np.arange(_BINS, dtype=np.float32)
        self._frame_size = (0, 0)

    def _find_levels(self) -> list[tuple[str, str, int, FloatArray]]:
        """Names of the outputs for scores and distances, stride, and anchor centres (n, 2) of each level.

        The outputs come in no fixed order: they are told apart by their shapes.
        """
        shapes = {tuple(output.shape[1:]): output.name for output in self._session.get_outputs()}
        levels = []
        for stride in _STRIDES:
            centers = _anchor_centers(*self._input_size, stride)
            scores = shapes.get((len(centers), len(self.spec.labels)))
            distances = shapes.get((len(centers), 4 * _BINS))
            if scores is not None and distances is not None:
                levels.append((scores, distances, stride, centers))
        if 2 * len(levels) != len(shapes):
            raise ValueError(f"its outputs {sorted(shapes)} do not fit {len(self.spec.labels)} labels")
        return levels

    def _analyze(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        return [self._analyze_frame(frame) for frame in frames]

    def _analyze_frame(self, frame: Frame) -> sv.Detections:
        height, width = frame.shape[:2]
        if self._frame_size != (width, height):
            self._prepare(width, height)
        outputs = self._session.run(self._outputs, {self._input_name: self._make_input(frame)})
        boxes, scores, class_ids = self._decode(outputs)
        kept = non_maximum_suppression(boxes, scores, _MAX_IOU)
        return sv.Detections(
            xyxy=self._placement.boxes_in_frame(boxes[kept]),
            confidence=scores[kept],
            class_id=class_ids[kept],
        )

    def _prepare(self, width: int, height: int) -> None:
        """Make ready for frames of this size."""
        self._placement = _placed((width, height), self._input_size)
        self._make_input = NormalizedInput(
            self._placement,
            self._input_size,
            mean=_MEAN,
            std=_STD,
            padding=0,
            interpolation=cv2.INTER_AREA,
        )
        self._frame_size = (width, height)

    def _decode(self, outputs: list[FloatArray]) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """Boxes (n, 4) in pixels of the input, scores and class ids (n,), of what reaches the floor."""
        found = [
            self._decode_level(outputs[2 * index][0], outputs[2 * index + 1][0], stride, centers)
            for index, (_, _, stride, centers) in enumerate(self._levels)
        ]
        boxes, scores, class_ids = (np.concatenate(parts) for parts in zip(*found, strict=True))
        np.clip(boxes, 0, np.array(self._input_size * 2, dtype=np.float32), out=boxes)
        return boxes, scores, class_ids

    def _decode_level(
        self, scores: FloatArray, distances: FloatArray, stride: int, centers: FloatArray
    ) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        best = scores.max(axis=1)
        found = np.flatnonzero(best >= self.spec.floor_confidence)
        if len(found) > _MOST_PER_STRIDE:
            found = np.sort(found[np.argsort(-best[found], kind="stable")[:_MOST_PER_STRIDE]])
        weights = np.exp(distances[found].reshape(-1, 4, _BINS))
        sides = (weights @ self._distances) / weights.sum(axis=2) * stride
        boxes = np.concatenate((centers[found] - sides[:, :2], centers[found] + sides[:, 2:]), axis=1)
        return boxes, best[found], scores[found].argmax(axis=1)


def _anchor_centers(width: int, height: int, stride: int) -> FloatArray:
    """The centre of each anchor's cell (n, 2), row by row, between whole pixels as the zoo has it."""
    rows, columns = np.indices((height // stride, width // stride), dtype=np.float32)
    return np.stack((columns.ravel(), rows.ravel()), axis=1) * stride + np.float32(0.5 * (stride - 1))


def _placed(frame_size: tuple[int, int], input_size: tuple[int, int]) -> Placement:
    """The frame in the middle, its shorter side rounded down; sizes are width and height."""
    (width, height), (input_width, input_height) = frame_size, input_size
    if height > width:
        size = max(1, int(input_width / (height / width))), input_height
    else:
        size = input_width, max(1, int(input_height * (height / width)))
    offset = int((input_width - size[0]) * 0.5), int((input_height - size[1]) * 0.5)
    return Placement(size, offset, size_factors(frame_size, size))
