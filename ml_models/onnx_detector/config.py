"""What somebody says of a detector of their own, in a small YAML beside its ONNX file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from ml_models.catalog.spec import MLTask
from ml_models.config_fields import DETECTION_TASKS, ConfigFields, load_mapping
from ml_models.errors import ModelConfigError


class Family(Enum):
    """What the outputs of a network mean."""

    YOLOX = "yolox"
    YOLOV8 = "yolov8"
    RT_DETR = "rt-detr"


FAMILIES = {
    "yolox": Family.YOLOX,
    **dict.fromkeys(("yolov8", "yolov9", "yolo11", "yolo12"), Family.YOLOV8),
    **dict.fromkeys(("rt-detr", "rtdetr", "d-fine", "dfine"), Family.RT_DETR),
}


@dataclass(frozen=True)
class _Defaults:
    """What the authors of a family do with frames and boxes."""

    fit: str
    channels: str
    pixels: str
    max_iou: float


_DEFAULTS = {
    Family.YOLOX: _Defaults("top-left", "BGR", "0-255", 0.45),
    Family.YOLOV8: _Defaults("center", "RGB", "0-1", 0.7),
    Family.RT_DETR: _Defaults("stretch", "RGB", "0-1", 1.0),
}


@dataclass(frozen=True)
class DetectorConfig:
    """A checked configuration.

    Args:
        name: What users type; begins with ``own-``.
        family: What the outputs mean.
        labels: The names of the classes, in their order.
        task: Of `MLTask`, by name.
        description: For the person who chooses.
        license: SPDX name of the licence of the weights.
        training_data: What it was trained on.
        known_limits: Where it fails.
        input_size: Width and height of the input; None if the file says it.
        fit: Of `ml_models.placement.Fit`, by value.
        layout: ``NCHW`` or ``NHWC``.
        channels: ``RGB`` or ``BGR``.
        pixels: ``0-255``, or ``0-1`` if they are divided by 255.
        mean: Taken from each channel then.
        std: What each is divided by at last.
        padding: The grey value around the frame.
        max_iou: Boxes of one class that overlap more are one thing; 1: nothing is suppressed.
        floor_confidence: Detections below it are not kept.
        default_confidence: The threshold of analyses that name none.
    """

    name: str
    family: str
    labels: tuple[str, ...]
    task: str
    description: str
    license: str
    training_data: str
    known_limits: str
    input_size: tuple[int, int] | None
    fit: str
    layout: str
    channels: str
    pixels: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    padding: int
    max_iou: float
    floor_confidence: float
    default_confidence: float

    def to_values(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "DetectorConfig":
        """What `to_values` gave, after a way through JSON."""
        made: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**made)


def read_config(text: str) -> DetectorConfig:
    """The configuration in a YAML text.

    Raises:
        ModelConfigError: It is no YAML mapping, or a field of it is missing, unknown or wrong.
    """
    return checked_config(load_mapping(text))


def checked_config(values: Mapping[Any, Any]) -> DetectorConfig:
    """The configuration in the fields of a YAML mapping.

    Raises:
        ModelConfigError: A field of it is missing, unknown or wrong.
    """
    return _Reader(values).config()


class _Reader(ConfigFields):
    """Takes the fields of a configuration one by one."""

    def config(self) -> DetectorConfig:
        name, family = self.name(), self._family()
        defaults = _DEFAULTS[family]
        labels = self.labels()
        floor = self.number("floor_confidence", 0.1, 0, 1)
        config = DetectorConfig(
            name=name,
            family=family.value,
            labels=labels,
            task=self.choice("task", "OBJECT_DETECTION", DETECTION_TASKS),
            description=self.text("description", "A detector of this server's own."),
            license=self.text("license", "LicenseRef-unknown"),
            training_data=self.text("training_data", ""),
            known_limits=self.text("known_limits", ""),
            input_size=self.size(),
            fit=self.choice("fit", defaults.fit, ("top-left", "center", "stretch")),
            layout=self.choice("layout", "NCHW", ("NCHW", "NHWC")),
            channels=self.choice("channels", defaults.channels, ("RGB", "BGR")),
            pixels=self.choice("pixels", defaults.pixels, ("0-255", "0-1")),
            mean=self.triple("mean", 0.0),
            std=self.triple("std", 1.0),
            padding=int(self.number("padding", 114, 0, 255)),
            max_iou=self.number("max_iou", defaults.max_iou, 0, 1),
            floor_confidence=floor,
            default_confidence=self.number("default_confidence", max(0.4, floor), floor, 1),
        )
        if 0 in config.std:
            raise ModelConfigError("std", "must not be 0: channels are divided by it")
        self.refuse_unknown()
        return config

    def _family(self) -> Family:
        value = self.take("family")
        family = FAMILIES.get(str(value).lower())
        if family is None:
            raise ModelConfigError("family", f"must be one of {', '.join(FAMILIES)}")
        return family


TASKS = {name: MLTask[name] for name in DETECTION_TASKS}
