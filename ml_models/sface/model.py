"""SFace (Zhong, Deng, Hu, Zhao, Li and Wen: SFace, 2021), from OpenCV's model zoo."""

import cv2
import numpy as np

from ml_models.base import FloatArray, Frame
from ml_models.crops import aligned_face
from ml_models.embedder import AbstractEmbedder
from ml_models.onnx import create_session


class SFace(AbstractEmbedder):
    """Faces, aligned by their landmarks; RGB, from 0 to 255, as `cv2.FaceRecognizerSF` gives them to it."""

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
        planes = face[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        (embedding,) = self._session.run(None, {self._input_name: np.ascontiguousarray(planes)})
        return embedding  # type: ignore[no-any-return]
