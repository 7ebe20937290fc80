"""Frames of the real clips, read with PyAV alone."""

from functools import lru_cache
from pathlib import Path

import av
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.factory import create_ml_model


def read_frames(path: Path, step: int = 1, limit: int | None = None) -> list[NDArray[np.uint8]]:
    """Every `step`th frame of a clip as BGR."""
    return [image for _, image in _read(path, step, limit)]


@lru_cache(maxsize=8)
def detections_of(
    path: Path, model: str, weights_dir: Path, step: int = 1, limit: int | None = None
) -> list[tuple[float, sv.Detections]]:
    """Time and detections of every `step`th frame of a clip."""
    ml_model = create_ml_model(model, weights_dir=weights_dir)
    return [(seconds, ml_model.analyze([image])[0]) for seconds, image in _read(path, step, limit)]


def _read(path: Path, step: int, limit: int | None):
    with av.open(str(path)) as container:
        taken = 0
        for index, frame in enumerate(container.decode(video=0)):
            if taken == limit:
                return
            if index % step == 0:
                taken += 1
                yield float(frame.time), frame.to_ndarray(format="bgr24")


def in_bytes(detections: sv.Detections) -> list[bytes]:
    """Everything of them, to compare exactly."""
    arrays = [detections.xyxy, detections.confidence, detections.class_id]
    arrays += [np.asarray(detections.data[key]) for key in sorted(detections.data)]
    return [array.dtype.str.encode() + bytes(str(array.shape), "ascii") + array.tobytes() for array in arrays]
