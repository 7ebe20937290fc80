"""YuNet (Wu, Peng and Yu: YuNet: A Tiny Millisecond-level Face Detector, 2023), from OpenCV's model zoo."""

from collections.abc import Sequence

import numpy as np
import supervision as sv

from ml_models.anchors import anchor_cells
from ml_models.base import AbstractImageAnalysisMLModel, FloatArray, Frame
from ml_models.letterbox import Letterbox
from ml_models.nms import non_maximum_suppression
from ml_models.onnx import open_session
from ml_models.scaling import scaled_size, size_factors

_STRIDES = (8, 16, 32)
_OUTPUTS = [f"{head}_{stride}" for head in ("cls", "obj", "bbox", "kps") for stride in _STRIDES]
_MAX_IOU = 0.3
_BELOW = 0.999  # so that rounding of the square does not lose what the root keeps


class YuNet(AbstractImageAnalysisMLModel):
    """Faces with five landmarks.

    ``data["landmarks"]`` is float32 (n, 5, 2), in pixels of the frame: right eye, left eye, tip of the nose,
    right and left corner of the mouth, as the person would say it. They may lie outside the frame.

    Weights of a fixed size look at each frame scaled to fit that size. Those of any size look at it with
    its longest side scaled to the option `longest_side`, then padded to multiples of 32, as its strides
    need. Larger finds smaller faces and takes longer.
    """

    def _load(self) -> None:
        self._session = open_session(self.weights_path, self.compute)
        model_input = self._session.get_inputs()[0]
        self._input_name = model_input.name
        height, width = model_input.shape[2:]
        self._fixed_size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
        self._frame_size = (0, 0)

    def _analyze(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        return [self._analyze_frame(frame) for frame in frames]

    def _analyze_frame(self, frame: Frame) -> sv.Detections:
        height, width = frame.shape[:2]
        if self._frame_size != (width, height):
            self._prepare(width, height)
        outputs = self._session.run(_OUTPUTS, {self._input_name: self._letterbox(frame)})
        boxes, landmarks, scores = self._decode(outputs)
        kept = non_maximum_suppression(_whole_pixels(boxes), scores, _MAX_IOU)
        return sv.Detections(
            xyxy=boxes[kept] * self._to_frame,
            confidence=scores[kept],
            data={"landmarks": landmarks[kept] * self._to_frame[:2]},
        )

    def _prepare(self, width: int, height: int) -> None:
        """Make ready for frames of this size."""
        if self._fixed_size:
            input_size = self._fixed_size
            size = scaled_size(width, height, min(input_size[0] / width, input_size[1] / height))
        else:
            size = scaled_size(width, height, self.options["longest_side"] / max(width, height))
            input_size = _padded(size[0]), _padded(size[1])
        self._letterbox = Letterbox(size, input_size, padding=0)
        self._cells, self._strides = anchor_cells(*input_size, _STRIDES)
        self._to_frame = size_factors((width, height), size)
        self._frame_size = (width, height)

    def _decode(self, outputs: list[FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Boxes (n, 4) and landmarks (n, 5, 2) in pixels of the input, scores (n,): what reaches the floor.

        The arithmetic is that of `cv2.FaceDetectorYN`: a score is the geometric mean of class and
        objectness; centres and landmarks are offsets from a cell, in strides; sizes are exponents.
        """
        floor = self.spec.floor_confidence
        cls, obj, bbox, kps = (
            np.concatenate(outputs[start : start + len(_STRIDES)], axis=1)[0]
            for start in range(0, len(outputs), len(_STRIDES))
        )
        squares = cls[:, 0] * obj[:, 0]
        found = np.flatnonzero(squares >= floor * floor * _BELOW)
        scores = np.sqrt(squares[found])
        reaches = scores >= floor
        found, scores = found[reaches], scores[reaches]
        offsets, cells, strides = bbox[found], self._cells[found], self._strides[found]
        centers = (offsets[:, :2] + cells) * strides
        halves = np.exp(offsets[:, 2:]) * strides / 2
        boxes = np.concatenate((centers - halves, centers + halves), axis=1)
        landmarks = (kps[found].reshape(-1, 5, 2) + cells[:, None]) * strides[:, None]
        return boxes, landmarks, scores


def _padded(side: int) -> int:
    return -(-side // _STRIDES[-1]) * _STRIDES[-1]


def _whole_pixels(boxes: FloatArray) -> FloatArray:
    """Corners, sizes cut to whole pixels: `cv2.FaceDetectorYN` compares such boxes."""
    corners = np.trunc(boxes[:, :2])
    return np.concatenate((corners, corners + np.trunc(boxes[:, 2:] - boxes[:, :2])), axis=1)
