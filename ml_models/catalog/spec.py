"""What is known of a model before it is loaded."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ml_models.compute import Device
from ml_models.extras import EXTRAS, Extra

OptionValue = bool | int | float | str


class MLTask(Enum):
    """What a model does."""

    FACE_DETECTION = "FACE_DETECTION"
    OBJECT_DETECTION = "OBJECT_DETECTION"
    PERSON_DETECTION = "PERSON_DETECTION"
    FACE_EMBEDDING = "FACE_EMBEDDING"
    REIDENTIFICATION = "REIDENTIFICATION"
    ACTION_RECOGNITION = "ACTION_RECOGNITION"

    @property
    def is_detection(self) -> bool:
        """Whether its models find things in frames, as an analysis needs."""
        return self in _DETECTION

    @property
    def is_embedding(self) -> bool:
        """Whether its models describe what others found."""
        return self in _EMBEDDING


_DETECTION = frozenset({MLTask.FACE_DETECTION, MLTask.OBJECT_DETECTION, MLTask.PERSON_DETECTION})
_EMBEDDING = frozenset({MLTask.FACE_EMBEDDING, MLTask.REIDENTIFICATION})

ONNX_DEVICES = (Device.CPU, Device.CUDA, Device.MPS)
"""What ONNX Runtime can compute on."""

TORCH_DEVICES = (Device.CPU, Device.CUDA, Device.MPS)
"""What PyTorch can compute on."""


@dataclass(frozen=True)
class WeightsBuild:
    """One file of a network, as one exporter wrote it.

    Args:
        url: Where this very file is published; empty if we know of no such address.
        sha256: Checksum of the file.
        size_bytes: Size of the file.
        source: Who exported it, and from what.
    """

    url: str
    sha256: str
    size_bytes: int
    source: str = ""


@dataclass(frozen=True)
class Weights:
    """One file of trained weights; it is used only if size and checksum fit.

    Its `url` is empty if we know of no address where the file is published: then only the weights folder
    and the mirror are looked in. What was measured, and the fingerprint, are of this file.

    `others` are files of the same name and the same trained network that other exporters wrote. They find the
    same up to rounding, and are taken as well.
    """

    file_name: str
    url: str
    sha256: str
    size_bytes: int
    source: str = ""
    others: tuple[WeightsBuild, ...] = ()

    @property
    def builds(self) -> tuple[WeightsBuild, ...]:
        """Every file that may be used, this one first."""
        return (WeightsBuild(self.url, self.sha256, self.size_bytes, self.source), *self.others)


@dataclass(frozen=True)
class PackagedFile:
    """A file of trained weights that an installed package carries.

    Args:
        package: The package, as it is imported.
        path: Where in it the file lies.
        sha256: Checksum of the file.
        size_bytes: Size of the file.
    """

    package: str
    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class MLModelSpec:
    """What is known of a model before it is loaded.

    Args:
        name: What users type; lower case, unique.
        task: What it does.
        labels: Every label it may give, in the order of its class ids. Of a model that describes what others
            found: the labels it can describe.
        description: One or two sentences for the person who chooses.
        license: SPDX name of the licence of the code or weights.
        implementation: ``"module:Class"`` of an `AbstractImageAnalysisMLModel`, or of an `AbstractEmbedder`.
        weights: The file it needs; None if it needs none.
        packaged_files: The files it needs that come with a package of its extra.
        requires_extra: The name in `EXTRAS` of what must be installed for it; None if it needs nothing.
        folder: Where files that its options name lie; None if they name none.
        devices: What it can compute on. Where the server wants another device, it computes on the CPU.
        floor_confidence: Detections below it are not stored at all.
        default_confidence: The threshold of an analysis that names none.
        input_size: Width and height into which frames are scaled; None if it follows the frame.
        training_data: What it was trained on, as far as that bears on its use.
        known_limits: Where it fails.
        embedding_size: How many numbers describe one thing; None if it describes nothing.
        needs_landmarks: Whether it describes faces by their landmarks, not their boxes.
        gives_landmarks: Whether it finds the five landmarks of each face: eyes, nose, corners of the mouth.
        same_similarity: The cosine similarity from which two descriptions are taken to be of one person.
        join_similarity: The cosine from which two tracks, each the mean of several descriptions, are taken to
            be of one person without asking anybody; below it, and from `same_similarity` on, people are
            asked. None: as `same_similarity`.
        keeps_quality_in_bfloat16: Whether it was measured to find nearly the same in bfloat16, for FAST.
        options: The options of the implementation with their values for this model.
        revision: Raise it when the same frame gives other detections than before, so that detections
            stored by the older revision are not taken for its own.
    """

    name: str
    task: MLTask
    labels: tuple[str, ...]
    description: str
    license: str
    implementation: str
    weights: Weights | None = None
    packaged_files: tuple[PackagedFile, ...] = ()
    requires_extra: str | None = None
    folder: str | None = None
    devices: tuple[Device, ...] = (Device.CPU,)
    floor_confidence: float = 0.1
    default_confidence: float = 0.5
    input_size: tuple[int, int] | None = None
    training_data: str = ""
    known_limits: str = ""
    embedding_size: int | None = None
    needs_landmarks: bool = False
    gives_landmarks: bool = False
    same_similarity: float | None = None
    join_similarity: float | None = None
    keeps_quality_in_bfloat16: bool = False
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    revision: int = 1

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"model {self.name}: labels must be given, each once")
        if not 0 <= self.floor_confidence <= self.default_confidence <= 1:
            raise ValueError(f"model {self.name}: 0 ≤ floor_confidence ≤ default_confidence ≤ 1 must hold")
        if self.implementation.count(":") != 1:
            raise ValueError(f"model {self.name}: implementation must read 'module:Class'")
        if self.requires_extra is not None and self.requires_extra not in EXTRAS:
            raise ValueError(f"model {self.name}: there is no extra {self.requires_extra!r}")

    @property
    def extra(self) -> Extra | None:
        """What must be installed for it; None if it needs nothing."""
        return None if self.requires_extra is None else EXTRAS[self.requires_extra]

    @property
    def is_installed(self) -> bool:
        """Whether what must be installed for it is there."""
        return self.extra is None or self.extra.is_installed()

    def fingerprint(self, options: Mapping[str, OptionValue] | None = None) -> str:
        """A SHA-256 that changes with whatever changes the detections: code revision, weights, options."""
        parts = {
            "name": self.name,
            "implementation": self.implementation,
            "revision": self.revision,
            "labels": self.labels,
            "weights": self.weights.sha256 if self.weights else None,
            "floor_confidence": self.floor_confidence,
            "options": {**self.options, **(options or {})},
        }
        if self.packaged_files:
            parts["packaged_files"] = [file.sha256 for file in self.packaged_files]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
