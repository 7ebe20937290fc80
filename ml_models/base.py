"""What every model is to the rest of Framewise: frames in, detections out."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import cast

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from media.masks import runs_of_each
from ml_models.errors import MLModelError, ModelFailedError, ModelInputError
from ml_models.loading import LoadsOnce

Frame = NDArray[np.uint8]
"""BGR uint8 (height, width, 3) in display orientation."""

FloatArray = NDArray[np.float32]

MASK_RUNS = "mask_runs"
"""Data (n,) of `media.masks.MaskRuns`: masks that do not take a byte for each pixel of the frame."""

_ROUNDING = 1e-5


class AbstractImageAnalysisMLModel(LoadsOnce):
    """A model: write `_load` and `_analyze`, call `analyze`."""

    def analyze(self, frames: Sequence[Frame], *, compact_masks: bool = False) -> list[sv.Detections]:
        """Detect in each frame; the first call loads the model. Threads take turns.

        Args:
            frames: BGR uint8 images (height, width, 3), of any and differing sizes.
            compact_masks: Give masks as ``data["mask_runs"]`` (`MASK_RUNS`) instead of `mask`.

        Returns:
            For each frame its detections: boxes float32 (n, 4) in that frame's pixels, clipped to it and not
            empty; confidence float32 (n,) from the spec's floor to 1; class_id int64 (n,); names in
            ``data["class_name"]``; `mask` bool (n, height, width) of the frame, if the model gives masks.
            Highest confidence first, then by box. The same frame always gives the same bytes, whatever
            the other frames.

        Raises:
            ModelInputError: A frame is not such an image.
            ModelLoadError: The model cannot be loaded.
            ModelFailedError: The implementation raised an error.
            ModelOutputError: The implementation returned something else than it must.
        """
        frames = [checked_frame(frame) for frame in frames]
        if not frames:
            return []
        with self._lock:
            self._ensure_loaded()
            results = self._analyzed(frames)
        return [
            self._checked(result, frame, compact_masks) for result, frame in zip(results, frames, strict=True)
        ]

    @abstractmethod
    def _analyze(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        """Detect in each frame, without changing it: boxes in its pixels, and confidence.

        A model of several labels also gives class_id (positions in `spec.labels`) or
        ``data["class_name"]``. `analyze` does the rest: it clips, drops what is below the floor, sorts, and
        fills in names and ids. Whatever else lies in `mask` and `data` keeps its place beside its box.
        """

    @cached_property
    def _class_names(self) -> NDArray[np.str_]:
        return np.array(self.spec.labels)

    @cached_property
    def _class_id_of(self) -> dict[str, int]:
        return {label: class_id for class_id, label in enumerate(self.spec.labels)}

    def _analyzed(self, frames: list[Frame]) -> list[sv.Detections]:
        try:
            results = self._analyze(frames)
        except MLModelError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ModelFailedError(f"the model {self.spec.name} failed: {reason}") from error
        if not isinstance(results, list) or len(results) != len(frames):
            raise self._output_error(f"must return a list with one result for each of {len(frames)} frames")
        return results

    def _checked(self, result: sv.Detections, frame: Frame, compact_masks: bool) -> sv.Detections:
        """The result as `analyze` promises it."""
        if not isinstance(result, sv.Detections):
            raise self._output_error(f"must return sv.Detections, not {type(result).__name__}")
        confidence = self._confidence(result)
        class_id = self._class_ids(result)
        boxes = self._boxes(result, frame)
        result = self._with_masks(result, frame, compact_masks)
        order = np.lexsort((class_id, boxes[:, 3], boxes[:, 2], boxes[:, 1], boxes[:, 0], -confidence))
        keep = (confidence >= self.spec.floor_confidence) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        order = order[keep[order]]
        if len(order) != len(result) or (order[1:] < order[:-1]).any():
            result = cast(sv.Detections, result[order])
        class_id = class_id[order]
        return sv.Detections(
            xyxy=boxes[order],
            mask=result.mask,
            confidence=confidence[order],
            class_id=class_id,
            data={**result.data, "class_name": self._class_names[class_id]},
        )

    def _with_masks(self, result: sv.Detections, frame: Frame, compact_masks: bool) -> sv.Detections:
        """The same with masks as wanted, before anything is sorted, which would copy them."""
        mask = result.mask
        if mask is None:
            return result
        if mask.shape != (len(result), *frame.shape[:2]):
            raise self._output_error(f"returned masks {mask.shape} for a frame {frame.shape[:2]}")
        if not compact_masks:
            return result
        return sv.Detections(
            xyxy=result.xyxy,
            confidence=result.confidence,
            class_id=result.class_id,
            data={**result.data, MASK_RUNS: runs_of_each(mask)},
        )

    def _boxes(self, result: sv.Detections, frame: Frame) -> FloatArray:
        if not np.isfinite(result.xyxy).all():
            raise self._output_error("returned a box that is not finite")
        height, width = frame.shape[:2]
        boxes: FloatArray = np.maximum(result.xyxy, 0, dtype=np.float32)
        np.minimum(boxes, np.array([width, height, width, height], dtype=np.float32), out=boxes)
        return boxes

    def _confidence(self, result: sv.Detections) -> FloatArray:
        if len(result) == 0:
            return np.empty(0, dtype=np.float32)
        confidence = result.confidence
        if confidence is None:
            raise self._output_error("must give each detection a confidence")
        if not (confidence.min() >= 0 and confidence.max() <= 1 + _ROUNDING):  # not: of NaN, neither is true
            raise self._output_error("returned a confidence outside 0 to 1")
        clipped: FloatArray = np.minimum(confidence, 1, dtype=np.float32)
        return clipped

    def _class_ids(self, result: sv.Detections) -> NDArray[np.int64]:
        names = result.data.get("class_name")
        if names is not None:
            unknown = sorted({str(name) for name in names} - self._class_id_of.keys())
            if unknown:
                raise self._output_error(f"returned the label {unknown[0]!r}, which its spec does not list")
            return np.array([self._class_id_of[str(name)] for name in names], dtype=np.int64)
        if result.class_id is None:
            if len(self.spec.labels) > 1 and len(result):
                raise self._output_error("must give each detection a class_id or a class_name")
            return np.zeros(len(result), dtype=np.int64)
        class_id = result.class_id.astype(np.int64, copy=False)
        if len(class_id) and not (class_id.min() >= 0 and class_id.max() < len(self.spec.labels)):
            raise self._output_error(f"returned a class_id outside 0 to {len(self.spec.labels) - 1}")
        return class_id


def checked_frame(frame: Frame) -> Frame:
    """The frame, its pixels in one piece.

    Raises:
        ModelInputError: It is no BGR uint8 image (height, width, 3), or empty.
    """
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.shape[2:] != (3,):
        raise ModelInputError("a frame must be a BGR uint8 array (height, width, 3)")
    if frame.size == 0:
        raise ModelInputError("a frame must not be empty")
    return np.ascontiguousarray(frame)
