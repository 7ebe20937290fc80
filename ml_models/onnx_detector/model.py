"""A detector that somebody brings as an ONNX file with a configuration."""

from collections.abc import Sequence

import cv2
import numpy as np
import supervision as sv

from ml_models.base import AbstractImageAnalysisMLModel, Frame
from ml_models.errors import ModelConfigError, ModelOutputError
from ml_models.onnx_detector.config import Family
from ml_models.onnx_detector.decoders import make_decoder
from ml_models.onnx_detector.network import load_network
from ml_models.placement import Fit, NormalizedInput, place


class ONNXDetector(AbstractImageAnalysisMLModel):
    """Things with the labels of the spec; the options say what the network wants and what its outputs mean.

    Everything is checked on load: an error names the field of the configuration that does not fit.
    """

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of what the network takes; known once it is loaded."""
        return self._network.input_size

    def _load(self) -> None:
        if self.weights_path is None:
            raise ModelConfigError("file", "is not there")
        cv2.setNumThreads(self.compute.threads)
        options = self.options
        self._network = load_network(self.weights_path, options["layout"], self.spec.input_size, self.compute)
        self._decoder = make_decoder(
            Family(options["family"]),
            self._network,
            len(self.spec.labels),
            self.spec.floor_confidence,
            options["max_iou"],
        )
        self._frame_size = (0, 0)

    def _analyze(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        return [self._analyze_frame(frame) for frame in frames]

    def _analyze_frame(self, frame: Frame) -> sv.Detections:
        height, width = frame.shape[:2]
        if self._frame_size != (width, height):
            self._prepare(width, height)
        outputs = self._network.run(self._decoder.names, self._make_input(frame))
        with np.errstate(all="ignore"):  # what comes of it is checked
            boxes, scores, class_ids = self._decoder.decode(outputs)
            boxes = self._placement.boxes_in_frame(boxes)
        if not np.isfinite(boxes).all():
            raise ModelOutputError(
                f"the model {self.spec.name} gives boxes that are not finite (inf or NaN): check its export; "
                "16-bit numbers that are too small for it are a common cause"
            )
        return sv.Detections(xyxy=boxes, confidence=scores, class_id=class_ids)

    def _prepare(self, width: int, height: int) -> None:
        """Make ready for frames of this size."""
        options, input_size = self.options, self._network.input_size
        self._placement = place((width, height), input_size, Fit(options["fit"]))
        self._make_input = NormalizedInput(
            self._placement,
            input_size,
            scale=1.0 if options["pixels"] == "0-255" else 1 / 255,
            mean=_numbers(options["mean"]),
            std=_numbers(options["std"]),
            padding=int(options["padding"]),
            is_rgb=options["channels"] == "RGB",
            is_channels_last=options["layout"] == "NHWC",
        )
        self._frame_size = (width, height)


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split()]
