"""What the pipeline is measured against."""

import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort

from benchmarks.processes import run_together
from ml_models.factory import create_ml_model

INPUT_SIDE = 416


def run_limit(clip: Path, weights_dir: Path, processes: int) -> float:
    """Frames a second of decode, colour, preprocessing and inference alone, by the very code of the pipeline.

    Each bare process, one a core, does the whole clip back to back on one thread; all start together. What
    the pipeline adds (boxes, suppression, checks, tables, segments, tracking, records) is not in it.
    """
    measured = run_together(_limit_process, processes, str(clip), str(weights_dir))
    return sum(frames for frames, _ in measured) / max(seconds for _, seconds in measured)


def _limit_process(barrier: Barrier, results: Any, clip: str, weights_dir: str) -> None:
    import av

    from media.picture import PictureConverter
    from ml_models.yolox.model import YOLOX

    cv2.setNumThreads(1)
    model = create_ml_model("yolox-nano", weights_dir=Path(weights_dir), mirror=weights_dir)
    if not isinstance(model, YOLOX):
        raise TypeError(type(model))
    with av.open(clip) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "AUTO", 1
        converter = PictureConverter(stream.width, stream.height)
        model.analyze([np.zeros((stream.height, stream.width, 3), dtype=np.uint8)])
        barrier.wait()
        started = time.perf_counter()
        frames = 0
        for frame in container.decode(stream):
            image = model._letterbox(converter.to_bgr(frame))
            model._session.run(None, {model._input_name: image})
            frames += 1
    results.put((frames, time.perf_counter() - started))


def run_plain_loop(clip: Path, weights: Path) -> float:
    """Frames a second of the loop that anybody would write: cv2.VideoCapture and default threads."""
    ((frames, seconds),) = run_together(_plain_process, 1, str(clip), str(weights))
    return float(frames / seconds)


def _plain_process(barrier: Barrier, results: Any, clip: str, weights: str) -> None:
    infer = _inference(weights, ort.SessionOptions())
    infer(np.zeros((432, 768, 3), dtype=np.uint8))
    barrier.wait()
    started = time.perf_counter()
    capture = cv2.VideoCapture(clip)
    frames = 0
    while True:
        found, image = capture.read()
        if not found:
            break
        infer(image)
        frames += 1
    results.put((frames, time.perf_counter() - started))


def _inference(weights: str, options: ort.SessionOptions) -> Callable[[Any], Any]:
    """Preprocessing as YOLOX asks for it (scale, pad with 114, planes) and the network."""
    session = ort.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    padded = np.full((INPUT_SIDE, INPUT_SIDE, 3), 114, dtype=np.uint8)

    def infer(image: Any) -> Any:
        height, width = image.shape[:2]
        scale = min(INPUT_SIDE / width, INPUT_SIDE / height)
        size = (int(width * scale), int(height * scale))
        padded[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        return session.run(None, {name: padded.transpose(2, 0, 1)[None].astype(np.float32)})

    return infer
