"""Whether a detector that somebody uploaded can be used: found out where it can do no harm."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.errors import ModelConfigError
from ml_models.onnx_detector.config import read_config
from ml_models.onnx_detector.model import ONNXDetector
from ml_models.onnx_detector.spec import detector_spec
from tasks.process.protocol import Message
from tasks.process.report import Report

_TIMED_FRAMES = 3


def get_ready(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Nothing: what the check needs is imported now, so its time is not that of the model."""
    return Message("result")


def check_model(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """The checked configuration of a model, after the model has looked at some images.

    Raises:
        ModelConfigError: The configuration, the file, or both together are wrong.
        MLModelError: The model fails at work.
    """
    config = read_config(values["config"])
    spec = detector_spec(config, sha256=values["sha256"], size_bytes=values["size_bytes"])
    model = ONNXDetector(spec, weights_path=Path(values["path"]))
    seconds = []
    for image in _images():
        started = time.perf_counter()
        (first,) = model.analyze([image])
        seconds.append(time.perf_counter() - started)
        report({"images": len(seconds)})
        (second,) = model.analyze([image])
        if not _are_same(first, second):
            raise ModelConfigError("file", "gives other results for the same image: it must not use chance")
        report({"images": len(seconds)})
    facts = {
        # With the size that only the file may say: people see it, and frames are scaled to it anyway.
        "config": replace(config, input_size=model.input_size).to_values(),
        "milliseconds_per_frame": 1000 * statistics.median(seconds[-_TIMED_FRAMES:]),
    }
    return Message("result", facts)


def _images() -> list[NDArray[np.uint8]]:
    """Plain, odd and lively ones; the last are for the time they take."""
    random = np.random.default_rng(0)
    patches = random.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    lively = [
        np.asarray(cv2.resize(patches[:, ::step], (1280, 720), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
        for step in (1, -1, 2)
    ]
    plain = np.full((360, 640, 3), 127, dtype=np.uint8)
    return [plain, plain[:1, :1], plain[:, :37], *lively]


def _are_same(first: sv.Detections, second: sv.Detections) -> bool:
    return (
        first.xyxy.tobytes() == second.xyxy.tobytes()
        and np.array_equal(np.asarray(first.confidence), np.asarray(second.confidence))
        and np.array_equal(np.asarray(first.class_id), np.asarray(second.class_id))
    )
