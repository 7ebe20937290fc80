"""YOLOX (Ge, Liu, Wang, Li and Sun: YOLOX: Exceeding YOLO Series in 2021), an anchor-free detector."""

from collections.abc import Sequence

import supervision as sv

from ml_models.anchors import anchor_cells
from ml_models.base import AbstractImageAnalysisMLModel, Frame
from ml_models.letterbox import Letterbox
from ml_models.nms import non_maximum_suppression
from ml_models.onnx import open_session
from ml_models.scaling import scaled_size, size_factors
from ml_models.yolox.decoding import STRIDES, decode

_MAX_IOU = 0.45
_PADDING = 114


class YOLOX(AbstractImageAnalysisMLModel):
    """Things with the labels of the spec.

    Frames are scaled to fit the network's fixed input. Post-processing is that of YOLOX's own
    `postprocess`: of each anchor the most probable class, then suppression within each class.
    """

    def _load(self) -> None:
        self._session = open_session(self.weights_path, self.compute)
        model_input = self._session.get_inputs()[0]
        self._input_name = model_input.name
        height, width = model_input.shape[2:]
        self._input_size = (width, height)
        self._cells, self._strides = anchor_cells(width, height, STRIDES)
        shape = self._session.get_outputs()[0].shape[1:]
        if shape != [len(self._strides), 5 + len(self.spec.labels)]:
            raise ValueError(f"its output of shape {shape} does not fit {len(self.spec.labels)} labels")
        self._frame_size = (0, 0)

    def _analyze(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        return [self._analyze_frame(frame) for frame in frames]

    def _analyze_frame(self, frame: Frame) -> sv.Detections:
        height, width = frame.shape[:2]
        if self._frame_size != (width, height):
            self._prepare(width, height)
        (output,) = self._session.run(None, {self._input_name: self._letterbox(frame)})
        boxes, scores, class_ids = decode(output[0], self._cells, self._strides, self.spec.floor_confidence)
        kept = non_maximum_suppression(boxes, scores, _MAX_IOU, class_ids)
        return sv.Detections(
            xyxy=boxes[kept] * self._to_frame, confidence=scores[kept], class_id=class_ids[kept]
        )

    def _prepare(self, width: int, height: int) -> None:
        """Make ready for frames of this size."""
        size = scaled_size(width, height, min(self._input_size[0] / width, self._input_size[1] / height))
        self._letterbox = Letterbox(size, self._input_size, _PADDING)
        self._to_frame = size_factors((width, height), size)
        self._frame_size = (width, height)
