"""The face cascade inside OpenCV (Viola and Jones: Rapid Object Detection using a Boosted Cascade, 2001)."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from ml_models.base import AbstractImageAnalysisMLModel, FloatArray, Frame
from ml_models.scaling import corners, shrunk, size_factors

_CASCADE = "haarcascade_frontalface_alt2.xml"
_LAST_STAGE_THRESHOLD = 53.755569  # of that file: a window is a face if its last stage sums to more
_EVEN_MARGIN = 1.35
_STEEPNESS = 2.0
_SCALE_STEP = 1.1
_MIN_NEIGHBORS = 2
_MIN_SIDE = 24


class OpenCVHaarFace(AbstractImageAnalysisMLModel):
    """Upright frontal faces.

    The cascade says yes or no. As confidence stands how far the sum of its last stage passed that stage's
    threshold, through a logistic curve that is 0.5 where, on our clips, mistakes end and faces begin: so it
    orders detections, but is no probability.
    """

    def _load(self) -> None:
        cv2.setNumThreads(self.compute.threads)
        path = Path(cv2.__file__).parent / "data" / _CASCADE
        if not path.is_file():
            raise FileNotFoundError(f"this build of OpenCV comes without {_CASCADE}")
        self._cascade = cv2.CascadeClassifier(str(path))

    def _analyze(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        return [self._analyze_frame(frame) for frame in frames]

    def _analyze_frame(self, frame: Frame) -> sv.Detections:
        image = cv2.cvtColor(shrunk(frame, self.options["longest_side"]), cv2.COLOR_BGR2GRAY)
        rectangles, _, sums = self._cascade.detectMultiScale3(
            image, _SCALE_STEP, _MIN_NEIGHBORS, minSize=(_MIN_SIDE, _MIN_SIDE), outputRejectLevels=True
        )
        factors = size_factors(frame.shape[1::-1], image.shape[1::-1])
        confidence = _confidence(np.reshape(sums, -1))
        return sv.Detections(xyxy=corners(rectangles) * factors, confidence=confidence)


def _confidence(sums: npt.NDArray[np.floating]) -> FloatArray:
    margins = sums.astype(np.float64) - _LAST_STAGE_THRESHOLD
    return (1 / (1 + np.exp(_STEEPNESS * (_EVEN_MARGIN - margins)))).astype(np.float32)
