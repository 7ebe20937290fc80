"""person-reidentification-retail-0288 of the Open Model Zoo: how persons look, seen whole."""

import cv2
import numpy as np

from ml_models.base import FloatArray, Frame
from ml_models.crops import crop
from ml_models.embedder import AbstractEmbedder
from ml_models.onnx import create_session

_SIZE = (128, 256)


class PersonReID(AbstractEmbedder):
    """Persons, each box stretched to the size of the input.

    The network takes BGR from 0 to 255, row by row, and scales it itself.
    """

    def _load(self) -> None:
        if self.weights_path is None:
            raise ValueError("it needs weights")
        cv2.setNumThreads(self.compute.threads)
        self._session = create_session(self.weights_path, self.compute)
        self._input_name = self._session.get_inputs()[0].name

    def _embed(self, frame: Frame, boxes: FloatArray, landmarks: FloatArray | None) -> FloatArray:
        return np.concatenate([self._embed_person(crop(frame, box)) for box in boxes])

    def _embed_person(self, person: Frame) -> FloatArray:
        resized = cv2.resize(person, _SIZE, interpolation=cv2.INTER_LINEAR)
        (embedding,) = self._session.run(None, {self._input_name: resized[None].astype(np.float32)})
        return embedding  # type: ignore[no-any-return]
