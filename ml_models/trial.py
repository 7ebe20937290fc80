"""Trying a model out on a photograph: whether it works, and how long it takes.

What is here runs in a process of its own, which ends with it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ml_models.base import Frame
from ml_models.catalog import MLModelSpec, MLTask, find_spec
from ml_models.compute import Compute
from ml_models.factory import create_embedder, create_ml_model, default_model
from ml_models.photo import FACE_BOX, FACE_LANDMARKS, PERSON_BOX, read_photo
from ml_models.verification import Verification, verify

_WARM_UPS = 3
_LEAST_CALLS = 5


@dataclass(frozen=True)
class Place:
    """What a process needs to make a model."""

    weights_dir: Path
    mirror: str | None
    compute: Compute


def try_out(name: str, place: Place) -> str:
    """Load the model, run it on the photograph, and say what came out.

    Raises:
        MLModelError: It does not work.
    """
    spec, photo = find_spec(name), read_photo()
    if spec.task.is_embedding:
        return f"describes a {spec.labels[0]} in {_call(spec, place, photo)()} numbers"
    (found,) = create_ml_model(
        name, weights_dir=place.weights_dir, mirror=place.mirror, compute=place.compute
    ).analyze([photo])
    confidence = np.asarray(found.confidence)
    names = np.asarray(found.data["class_name"])[confidence >= spec.default_confidence]
    labels, counts = np.unique(names, return_counts=True)
    shown = ", ".join(f"{count} {label}" for label, count in zip(labels, counts, strict=True))
    return f"finds {shown or 'nothing'} in the photograph"


def verify_people(name: str, place: Place, folder: Path) -> Verification:
    """How well the model tells the people apart whose photos the folder holds; YuNet finds their faces.

    Raises:
        MLModelError: It does not work, or the folder does not hold what it must.
    """
    makings: dict[str, Any] = {
        "weights_dir": place.weights_dir,
        "mirror": place.mirror,
        "compute": place.compute,
    }
    detector = create_ml_model(default_model(place.weights_dir, place.mirror).name, **makings)
    return verify(create_embedder(name, **makings), detector, folder)


def milliseconds_per_call(name: str, place: Place, seconds: float) -> float:
    """The median time of one frame, or of one box described, without loading and first calls.

    Args:
        name: The model.
        place: Its weights and its threads.
        seconds: How long to measure; at least five calls are made.

    Raises:
        MLModelError: It does not work.
    """
    call = _call(find_spec(name), place, read_photo())
    for _ in range(_WARM_UPS):
        call()
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while len(times) < _LEAST_CALLS or time.perf_counter() < ends:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return median(times) * 1000


def _call(spec: MLModelSpec, place: Place, photo: Frame) -> Callable[[], int]:
    """One use of the model on the photograph: how many things it finds, or numbers it describes one with."""
    if spec.task.is_embedding:
        embedder = create_embedder(
            spec.name, weights_dir=place.weights_dir, mirror=place.mirror, compute=place.compute
        )
        boxes = FACE_BOX if spec.task is MLTask.FACE_EMBEDDING else PERSON_BOX
        return lambda: embedder.embed(photo, boxes[None], FACE_LANDMARKS[None]).shape[1]
    model = create_ml_model(
        spec.name, weights_dir=place.weights_dir, mirror=place.mirror, compute=place.compute
    )
    return lambda: len(model.analyze([photo])[0])
