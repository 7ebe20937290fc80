"""person-reidentification-retail-0288 of the Open Model Zoo: how persons look, seen whole."""

import cv2
import numpy as np

from ml_models.base import FloatArray, Frame
from ml_models.crops import crop
from ml_models.onnx_embedder import AbstractONNXEmbedder

_SIZE = (128, 256)


class PersonReID(AbstractONNXEmbedder):
    """Persons, each box stretched to the size of the input.

    The network takes BGR from 0 to 255, row by row, and scales it itself.
    """

    def _embed(self, frame: Frame, boxes: FloatArray, landmarks: FloatArray | None) -> FloatArray:
        return np.concatenate([self._embed_person(crop(frame, box)) for box in boxes])

    def _embed_person(self, person: Frame) -> FloatArray:
        resized = cv2.resize(person, _SIZE, interpolation=cv2.INTER_LINEAR)
        return self._describe(resized[None].astype(np.float32))
