"""dlib's face description: a residual network of 29 layers, as its author published it in 2017."""

import dlib
import numpy as np
from numpy.typing import NDArray

from ml_models.base import FloatArray, Frame
from ml_models.embedder import AbstractEmbedder
from ml_models.packaged import packaged_path

_OF_EXCESS_HEIGHT = 0.3
_DOWN_BY_EXCESS_HEIGHT = 0.15


class DlibResNet(AbstractEmbedder):
    """Faces, aligned by dlib's own five points, which it looks for in each box.

    Boxes that are not square are first made those that dlib's detector would give.
    """

    def _load(self) -> None:
        points, network = (packaged_path(file) for file in self.spec.packaged_files)
        self._find_points = dlib.shape_predictor(str(points))
        self._network = dlib.face_recognition_model_v1(str(network))

    def _embed(self, frame: Frame, boxes: FloatArray, landmarks: FloatArray | None) -> NDArray[np.float64]:
        image = np.ascontiguousarray(frame[:, :, ::-1])
        return np.array([self._embed_face(image, box) for box in boxes])

    def _embed_face(self, image: Frame, box: FloatArray) -> NDArray[np.float64]:
        points = self._find_points(image, _square(box))
        return np.array(self._network.compute_face_descriptor(image, points))


def _square(box: FloatArray) -> dlib.rectangle:
    """The square that dlib's detector would give for the box of another detector; a square stays what it is.

    Both numbers are fitted to what YuNet and dlib say of the same faces: dlib leaves out the forehead.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    taller = max(y2 - y1, 1.0) - max(x2 - x1, 1.0)
    half = (max(x2 - x1, 1.0) + _OF_EXCESS_HEIGHT * taller) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2 + _DOWN_BY_EXCESS_HEIGHT * taller
    return dlib.rectangle(round(x - half), round(y - half), round(x + half) - 1, round(y + half) - 1)
