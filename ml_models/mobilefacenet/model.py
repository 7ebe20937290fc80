"""MobileFaceNet (Chen, Liu, Gao and Han: MobileFaceNets, 2018), with the weights of foamliu/MobileFaceNet."""

import cv2
import numpy as np

from ml_models.base import FloatArray, Frame
from ml_models.crops import aligned_face
from ml_models.embedder import AbstractEmbedder
from ml_models.onnx import create_session

_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32) * 255
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32) * 255


class MobileFaceNet(AbstractEmbedder):
    """Faces, aligned by their landmarks; RGB, scaled as ImageNet's, as its training did."""

    def _load(self) -> None:
        if self.weights_path is None:
            raise ValueError("it needs weights")
        cv2.setNumThreads(self.compute.threads)
        self._session = create_session(self.weights_path, self.compute)
        self._input_name = self._session.get_inputs()[0].name

    def _embed(self, frame: Frame, boxes: FloatArray, landmarks: FloatArray | None) -> FloatArray:
        if landmarks is None:
            raise ValueError("it needs landmarks")
        return np.concatenate([self._embed_face(aligned_face(frame, points)) for points in landmarks])

    def _embed_face(self, face: Frame) -> FloatArray:
        pixels = (face[:, :, ::-1] - _MEAN) / _DEVIATION
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
        (embedding,) = self._session.run(None, {self._input_name: planes})
        return embedding  # type: ignore[no-any-return]
