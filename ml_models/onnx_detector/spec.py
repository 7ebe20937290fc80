"""From a configuration to the model that the rest of Framewise knows."""

from ml_models.catalog.spec import ONNX_DEVICES, MLModelSpec, OptionValue, Weights
from ml_models.onnx_detector.config import TASKS, DetectorConfig

FILE_PREFIX = "own-"
"""How names of such files begin in the weights folder, so that those of deleted models are found."""

_NOT_OPTIONS = frozenset(
    {
        "name",
        "labels",
        "task",
        "description",
        "license",
        "training_data",
        "known_limits",
        "floor_confidence",
        "default_confidence",
    }
)
"""What of a configuration has a place of its own in `MLModelSpec`."""


def file_name_of(sha256: str) -> str:
    """What the file of an uploaded detector is called in the weights folder."""
    return f"{FILE_PREFIX}{sha256}.onnx"


def detector_spec(config: DetectorConfig, *, sha256: str, size_bytes: int) -> MLModelSpec:
    """The model of a configuration and an ONNX file, which lies in the weights folder under its checksum."""
    return MLModelSpec(
        name=config.name,
        task=TASKS[config.task],
        labels=config.labels,
        description=config.description,
        license=config.license,
        implementation="ml_models.onnx_detector.model:ONNXDetector",
        weights=Weights(file_name_of(sha256), "", sha256, size_bytes),
        devices=ONNX_DEVICES,
        floor_confidence=config.floor_confidence,
        default_confidence=config.default_confidence,
        input_size=config.input_size,
        training_data=config.training_data,
        known_limits=config.known_limits,
        options=_options(config),
    )


def _options(config: DetectorConfig) -> dict[str, OptionValue]:
    """The rest of the configuration: as options it is part of the model's fingerprint."""
    return {
        name: " ".join(f"{part:.9g}" for part in value) if isinstance(value, tuple) else value
        for name, value in config.to_values().items()
        if name not in _NOT_OPTIONS and value is not None
    }
