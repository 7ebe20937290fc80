"""Embedding models that are one ONNX network."""

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from ml_models.base import FloatArray, Frame
from ml_models.crops import aligned_face
from ml_models.embedder import AbstractEmbedder
from ml_models.onnx import open_session


class AbstractONNXEmbedder(AbstractEmbedder):
    """One network with one input and one output."""

    def _load(self) -> None:
        self._session = open_session(self.weights_path, self.compute)
        self._input_name = self._session.get_inputs()[0].name

    def _describe(self, pixels: NDArray[np.float32]) -> FloatArray:
        """The output for the input, which both have one row."""
        (embedding,) = self._session.run(None, {self._input_name: pixels})
        return embedding  # type: ignore[no-any-return]


class AbstractAlignedFaceEmbedder(AbstractONNXEmbedder):
    """It takes faces that are aligned by their landmarks, and cut out as RGB planes: write `_scaled`."""

    def _embed(self, frame: Frame, boxes: FloatArray, landmarks: FloatArray | None) -> FloatArray:
        if landmarks is None:
            raise ValueError("it needs landmarks")
        return np.concatenate([self._embed_face(aligned_face(frame, points)) for points in landmarks])

    def _embed_face(self, face: Frame) -> FloatArray:
        planes = self._scaled(face[:, :, ::-1]).transpose(2, 0, 1)[None]
        return self._describe(np.ascontiguousarray(planes))

    @abstractmethod
    def _scaled(self, face: Frame) -> FloatArray:
        """Numbers as the training had them, from RGB uint8 (112, 112, 3)."""
