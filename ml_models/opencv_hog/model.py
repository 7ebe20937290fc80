"""The person detector inside OpenCV (Dalal and Triggs: Histograms of Oriented Gradients, 2005)."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from ml_models.base import AbstractImageAnalysisMLModel, FloatArray, Frame
from ml_models.nms import non_maximum_suppression
from ml_models.scaling import corners, shrunk, size_factors

_WINDOW = (64, 128)
_MARGINS = np.array([0.15, 0.05], dtype=np.float32)  # of a window's sides; as in OpenCV's sample peopledetect
_BORDER = 0.2  # of the height: a window is larger than its person, and lies within the image
_MAX_IOU = 0.45
_EVEN_DISTANCE = 0.8
_STEEPNESS = 3.0


class OpenCVHOGPerson(AbstractImageAnalysisMLModel):
    """Upright persons, seen whole, at least about 100 pixels high in the frame as scaled.

    Confidence is the distance from the support vector machine's boundary through a logistic curve: it
    orders detections, but is no probability.
    """

    def _load(self) -> None:
        cv2.setNumThreads(self.compute.threads)
        self._detector = cv2.HOGDescriptor()
        self._detector.setSVMDetector(np.array(cv2.HOGDescriptor.getDefaultPeopleDetector()))

    def _analyze(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        return [self._analyze_frame(frame) for frame in frames]

    def _analyze_frame(self, frame: Frame) -> sv.Detections:
        image = shrunk(frame, self.options["longest_side"])
        factors = size_factors(frame.shape[1::-1], image.shape[1::-1])
        border = int(image.shape[0] * _BORDER)
        image = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
        if image.shape[1] < _WINDOW[0] or image.shape[0] < _WINDOW[1]:
            return sv.Detections.empty()
        rectangles, distances = self._detector.detectMultiScale(image, winStride=(8, 8), scale=1.05)
        boxes = (corners(rectangles) - border) * factors
        margins = (boxes[:, 2:] - boxes[:, :2]) * _MARGINS
        boxes = np.concatenate((boxes[:, :2] + margins, boxes[:, 2:] - margins), axis=1)
        confidence = _confidence(np.reshape(distances, -1))
        kept = non_maximum_suppression(boxes, confidence, _MAX_IOU)
        return sv.Detections(xyxy=boxes[kept], confidence=confidence[kept])


def _confidence(distances: npt.NDArray[np.floating]) -> FloatArray:
    return (1 / (1 + np.exp(_STEEPNESS * (_EVEN_DISTANCE - distances.astype(np.float64))))).astype(np.float32)
