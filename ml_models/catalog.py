"""The table of models: what each is called, finds, needs and may be used for.

The API process reads this module, so it imports nothing heavy: an implementation is named as
``"module:Class"`` and imported only where it runs.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from ml_models.coco import COCO_LABELS
from ml_models.errors import PluginError, UnknownModelError
from ml_models.naming import near_misses

ENTRY_POINT_GROUP = "framewise.ml_models"

OptionValue = bool | int | float | str


class MLTask(Enum):
    """What a model does."""

    FACE_DETECTION = "FACE_DETECTION"
    OBJECT_DETECTION = "OBJECT_DETECTION"
    PERSON_DETECTION = "PERSON_DETECTION"
    FACE_EMBEDDING = "FACE_EMBEDDING"
    REIDENTIFICATION = "REIDENTIFICATION"
    ACTION_RECOGNITION = "ACTION_RECOGNITION"


@dataclass(frozen=True)
class Weights:
    """One file of trained weights; it is used only if size and checksum fit."""

    file_name: str
    url: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class MLModelSpec:
    """What is known of a model before it is loaded.

    Args:
        name: What users type; lower case, unique.
        task: What it does.
        labels: Every label it may give, in the order of its class ids.
        description: One or two sentences for the person who chooses.
        license: SPDX name of the licence of the code or weights.
        implementation: ``"module:Class"`` of an `AbstractImageAnalysisMLModel`.
        weights: The file it needs; None if it needs none.
        floor_confidence: Detections below it are not stored at all.
        default_confidence: The threshold of an analysis that names none.
        input_size: Width and height into which frames are scaled; None if it follows the frame.
        training_data: What it was trained on, as far as that bears on its use.
        known_limits: Where it fails.
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
    floor_confidence: float = 0.1
    default_confidence: float = 0.5
    input_size: tuple[int, int] | None = None
    training_data: str = ""
    known_limits: str = ""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    revision: int = 1

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"model {self.name}: labels must be given, each once")
        if not 0 <= self.floor_confidence <= self.default_confidence <= 1:
            raise ValueError(f"model {self.name}: 0 ≤ floor_confidence ≤ default_confidence ≤ 1 must hold")
        if self.implementation.count(":") != 1:
            raise ValueError(f"model {self.name}: implementation must read 'module:Class'")

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
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


_OPENCV_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo"
_YOLOX_RELEASE = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"

CATALOG: tuple[MLModelSpec, ...] = (
    MLModelSpec(
        name="yunet-2026may",
        task=MLTask.FACE_DETECTION,
        labels=("face",),
        description="Finds faces, turned and small ones too, and five landmarks of each: the first choice.",
        license="MIT",
        implementation="ml_models.yunet.model:YuNet",
        weights=Weights(
            file_name="face_detection_yunet_2026may.onnx",
            url=f"{_OPENCV_ZOO}/main/models/face_detection_yunet/face_detection_yunet_2026may.onnx",
            sha256="ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
            size_bytes=229_738,
        ),
        floor_confidence=0.3,
        default_confidence=0.6,
        training_data="WIDER FACE: photos from the web, published for research",
        known_limits="Misses faces below 1/40 of the frame's longest side, upside down, or seen from behind",
        options={"longest_side": 640},
    ),
    MLModelSpec(
        name="yunet-2023mar",
        task=MLTask.FACE_DETECTION,
        labels=("face",),
        description="The network of yunet-2026may, exported for one input size: the same faces, slower.",
        license="MIT",
        implementation="ml_models.yunet.model:YuNet",
        weights=Weights(
            file_name="face_detection_yunet_2023mar.onnx",
            url=f"{_OPENCV_ZOO}/4.10.0/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
            sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
            size_bytes=232_589,
        ),
        floor_confidence=0.3,
        default_confidence=0.6,
        input_size=(640, 640),
        training_data="WIDER FACE: photos from the web, published for research",
        known_limits="As yunet-2026may",
    ),
    MLModelSpec(
        name="opencv-haar-face",
        task=MLTask.FACE_DETECTION,
        labels=("face",),
        description="Finds upright faces that look at the camera; needs no weights, takes much longer.",
        license="BSD-3-Clause",
        implementation="ml_models.opencv_haar.model:OpenCVHaarFace",
        floor_confidence=0.1,
        default_confidence=0.5,
        training_data="Photos of faces that its author (Lienhart, at Intel, about 2000) did not publish",
        known_limits="Misses faces that are turned, tilted, dark or half hidden; sees some in patterns",
        options={"longest_side": 640},
    ),
    MLModelSpec(
        name="yolox-nano",
        task=MLTask.OBJECT_DETECTION,
        labels=COCO_LABELS,
        description="Finds 80 kinds of everyday things, persons among them; the smallest of its family.",
        license="Apache-2.0",
        implementation="ml_models.yolox.model:YOLOX",
        weights=Weights(
            file_name="yolox_nano.onnx",
            url=f"{_YOLOX_RELEASE}/yolox_nano.onnx",
            sha256="695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14",
            size_bytes=3_660_092,
        ),
        floor_confidence=0.1,
        default_confidence=0.4,
        input_size=(416, 416),
        training_data="COCO 2017: photos from Flickr under various Creative Commons licences",
        known_limits="Misses things below 1/10 of the frame's longest side and unusual views",
    ),
    MLModelSpec(
        name="opencv-hog-person",
        task=MLTask.PERSON_DETECTION,
        labels=("person",),
        description="Finds some upright persons seen whole; needs no weights, but is a last resort.",
        license="Apache-2.0",
        implementation="ml_models.opencv_hog.model:OpenCVHOGPerson",
        floor_confidence=0.1,
        default_confidence=0.5,
        training_data="INRIA Person: holiday photos, published for research",
        known_limits="Misses persons who are seated, bent or cut off; takes bottles and posts for persons",
        options={"longest_side": 480},
    ),
)


def all_specs() -> dict[str, MLModelSpec]:
    """Every model by name: the catalogue, then those that installed packages offer.

    A package offers an `MLModelSpec` under the entry point group ``framewise.ml_models``.

    Raises:
        PluginError: A package's entry point cannot be imported, is no `MLModelSpec`, or takes a name twice.
    """
    return {spec.name: spec for spec in CATALOG} | {spec.name: spec for spec in _plugin_specs()}


def find_spec(name: str) -> MLModelSpec:
    """The model of that name.

    Raises:
        UnknownModelError: There is none; the message names those that come near.
        PluginError: It is not in the catalogue, and for one of the reasons of `all_specs`.
    """
    for spec in CATALOG:
        if spec.name == name:
            return spec
    specs = all_specs()
    if name not in specs:
        raise UnknownModelError(f"there is no model {name!r}: {near_misses(name, specs)}")
    return specs[name]


@lru_cache(maxsize=1)
def _plugin_specs() -> tuple[MLModelSpec, ...]:
    """The models of installed packages; looked for once, since packages are not installed under a server."""
    names = {spec.name for spec in CATALOG}
    specs = []
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda found: found.name):
        spec = _plugin_spec(entry_point)
        if spec.name in names:
            raise PluginError(f"{_origin(entry_point)} takes a name that another model has")
        names.add(spec.name)
        specs.append(spec)
    return tuple(specs)


def _plugin_spec(entry_point: EntryPoint) -> MLModelSpec:
    origin = _origin(entry_point)
    try:
        spec = entry_point.load()
    except Exception as error:
        raise PluginError(f"{origin} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(spec, MLModelSpec):
        raise PluginError(f"{origin} is a {type(spec).__name__}, not an MLModelSpec")
    if spec.name != entry_point.name:
        raise PluginError(f"{origin} calls itself {spec.name!r} in its MLModelSpec: the names must agree")
    return spec


def _origin(entry_point: EntryPoint) -> str:
    package = entry_point.dist.name if entry_point.dist else "an unnamed package"
    return f"the model {entry_point.name!r} ({entry_point.value}) of the package {package!r}"
