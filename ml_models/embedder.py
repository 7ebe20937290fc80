"""What every embedding model is to the rest of Framewise: boxes in, a description of each out."""

from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from ml_models.base import FloatArray, Frame, checked_frame
from ml_models.errors import MLModelError, ModelFailedError, ModelInputError
from ml_models.loading import LoadsOnce


class AbstractEmbedder(LoadsOnce):
    """A model that describes what lies in boxes: write `_load` and `_embed`, call `embed`.

    Two descriptions are compared by their dot product, which is their cosine similarity: those of one
    person reach `spec.same_similarity`.
    """

    def embed(self, frame: Frame, boxes: npt.ArrayLike, landmarks: npt.ArrayLike | None = None) -> FloatArray:
        """Describe what lies in each box; the first call loads the model. Threads take turns.

        Args:
            frame: BGR uint8 image (height, width, 3).
            boxes: (n, 4) corners x1, y1, x2, y2 in its pixels. What of a box lies outside does not count.
            landmarks: (n, 5, 2) as YuNet gives them; needed only if `spec.needs_landmarks`.

        Returns:
            float32 (n, `spec.embedding_size`), each of length 1. The same box of the same frame always
            gives the same bytes, whatever the other boxes.

        Raises:
            ModelInputError: Frame, boxes or landmarks are not that.
            ModelLoadError: The model cannot be loaded.
            ModelFailedError: The implementation raised an error.
            ModelOutputError: The implementation returned something else than it must.
        """
        frame = checked_frame(frame)
        checked_boxes = _checked(boxes, (4,), "boxes")
        points = None if landmarks is None else _checked(landmarks, (5, 2), "landmarks")
        if self.spec.needs_landmarks:
            if points is None:
                raise ModelInputError(
                    f"{self.spec.name} needs the five landmarks of each face: use a detector that gives them"
                )
            if len(points) != len(checked_boxes):
                raise ModelInputError(f"there are {len(checked_boxes)} boxes, but landmarks of {len(points)}")
        if len(checked_boxes) == 0:
            return np.empty((0, self.spec.embedding_size or 0), dtype=np.float32)
        with self._lock:
            self._ensure_loaded()
            embeddings = self._embedded(frame, checked_boxes, points)
        return self._normalised(embeddings, len(checked_boxes))

    @abstractmethod
    def _embed(self, frame: Frame, boxes: FloatArray, landmarks: FloatArray | None) -> npt.ArrayLike:
        """Describe what lies in each box, without changing the frame: (n, d), of any length but 0."""

    def _embedded(self, frame: Frame, boxes: FloatArray, landmarks: FloatArray | None) -> FloatArray:
        try:
            return np.asarray(self._embed(frame, boxes, landmarks), dtype=np.float32)
        except MLModelError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ModelFailedError(f"the model {self.spec.name} failed: {reason}") from error

    def _normalised(self, embeddings: FloatArray, count: int) -> FloatArray:
        shape = count, self.spec.embedding_size
        if embeddings.shape != shape:
            raise self._output_error(f"returned an array of shape {embeddings.shape}, not {shape}")
        lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise self._output_error("returned numbers that are not finite, or all zero")
        normalised: FloatArray = (embeddings / lengths).astype(np.float32)
        return normalised


def _checked(values: npt.ArrayLike, shape: tuple[int, ...], name: str) -> FloatArray:
    """The values as float32 (n, *shape), an empty sequence of them as n = 0."""
    try:
        array = np.asarray(values, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise ModelInputError(f"{name} are no array of numbers: {error}") from error
    if array.size == 0:
        return np.empty((0, *shape), dtype=np.float32)
    if array.shape[1:] != shape:
        raise ModelInputError(
            f"{name} must have the shape (n, {', '.join(map(str, shape))}), not {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ModelInputError(f"{name} must be finite")
    return array
