"""SFace (Zhong, Deng, Hu, Zhao, Li and Wen: SFace, 2021), from OpenCV's model zoo."""

import numpy as np

from ml_models.base import FloatArray, Frame
from ml_models.onnx_embedder import AbstractAlignedFaceEmbedder


class SFace(AbstractAlignedFaceEmbedder):
    """Faces, aligned by their landmarks; RGB, from 0 to 255, as `cv2.FaceRecognizerSF` gives them to it."""

    def _scaled(self, face: Frame) -> FloatArray:
        return face.astype(np.float32)
