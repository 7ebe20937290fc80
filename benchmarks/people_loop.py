"""The loop to do better than: who is in a clip, as the examples of the package face_recognition find out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from benchmarks.dlib_loop import dlib_models
from benchmarks.people_scores import FoundFace
from benchmarks.processes import run_together

TOLERANCE = 0.6
_LONGEST_SECONDS = 1800.0


@dataclass(frozen=True)
class LoopFigures:
    """What the loop found in each clip, by its path, and what it took."""

    faces: dict[str, list[FoundFace]]
    seconds: float
    cpu_seconds: float


def people_loop(clips: Sequence[Path]) -> LoopFigures:
    """Every face of every frame is described and is the first known one within the tolerance, else a new one.

    One list of known people for all clips. HOG detector with the image doubled once, five points, one
    description a face, on one core.
    """
    (answer,) = run_together(_loop, 1, [str(clip) for clip in clips], longest_seconds=_LONGEST_SECONDS)
    found, seconds, cpu_seconds = answer
    faces = {path: [FoundFace(*one) for one in ones] for path, ones in found.items()}
    return LoopFigures(faces, float(seconds), float(cpu_seconds))


def _loop(barrier: Barrier, results: Any, paths: list[str]) -> None:
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    detector, find_points, network = dlib_models()
    known: list[Any] = []
    found: dict[str, list[tuple[int, tuple[float, ...], int]]] = {path: [] for path in paths}
    barrier.wait()
    started, cpu_before = time.perf_counter(), time.process_time()
    for path in paths:
        capture = cv2.VideoCapture(path)
        index = 0
        while True:
            is_read, image = capture.read()
            if not is_read:
                break
            image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            for face in detector(image, 1):
                vector = np.array(network.compute_face_descriptor(image, find_points(image, face)))
                near = [float(np.linalg.norm(one - vector)) <= TOLERANCE for one in known]
                if True not in near:
                    known.append(vector)
                    near.append(True)
                corners = tuple(float(getattr(face, side)()) for side in ("left", "top", "right", "bottom"))
                found[path].append((index, corners, near.index(True)))
            index += 1
    results.put((found, time.perf_counter() - started, time.process_time() - cpu_before))
