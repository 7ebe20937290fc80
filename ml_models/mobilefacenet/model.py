"""MobileFaceNet (Chen, Liu, Gao and Han: MobileFaceNets, 2018), with the weights of foamliu/MobileFaceNet."""

import numpy as np

from ml_models.base import FloatArray, Frame
from ml_models.onnx_embedder import AbstractAlignedFaceEmbedder
from ml_models.sharpening import sharpened

_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32) * 255
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32) * 255


class MobileFaceNet(AbstractAlignedFaceEmbedder):
    """Faces, aligned by their landmarks and sharpened; RGB, scaled as ImageNet's, as its training did."""

    def _embed_face(self, face: Frame) -> FloatArray:
        return super()._embed_face(sharpened(face))

    def _scaled(self, face: Frame) -> FloatArray:
        scaled: FloatArray = (face - _MEAN) / _DEVIATION
        return scaled
