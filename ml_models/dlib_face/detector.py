"""dlib's face detector (King: Max-Margin Object Detection, 2015, over histograms of oriented gradients)."""

from collections.abc import Sequence

import cv2
import dlib
import numpy as np
import supervision as sv

from ml_models.base import AbstractImageAnalysisMLModel, Frame
from ml_models.scaling import shrunk, size_factors


class DlibHOGFace(AbstractImageAnalysisMLModel):
    """Upright faces of at least about 40 pixels in the frame as scaled, with the option `upsample` at 1.

    `upsample` says how often the image is doubled: each time finds faces half as large, and takes four times
    as long. Confidence is the distance from the detector's boundary through a logistic curve, so 0.5 is what
    dlib itself reports; it orders detections, but is no probability.
    """

    def _load(self) -> None:
        cv2.setNumThreads(self.compute.threads)
        self._detector = dlib.get_frontal_face_detector()
        floor = self.spec.floor_confidence
        self._lowest_distance = float(np.log(floor / (1 - floor)))

    def _analyze(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        return [self._analyze_frame(frame) for frame in frames]

    def _analyze_frame(self, frame: Frame) -> sv.Detections:
        image = cv2.cvtColor(shrunk(frame, self.options["longest_side"]), cv2.COLOR_BGR2RGB)
        faces, distances, _ = self._detector.run(image, self.options["upsample"], self._lowest_distance)
        if not faces:
            return sv.Detections.empty()
        # dlib's right and bottom are the last pixels inside.
        boxes = np.array(
            [[face.left(), face.top(), face.right() + 1, face.bottom() + 1] for face in faces],
            dtype=np.float32,
        )
        factors = size_factors(frame.shape[1::-1], image.shape[1::-1])
        return sv.Detections(
            xyxy=boxes * factors, confidence=1 / (1 + np.exp(-np.array(distances, dtype=np.float64)))
        )
