"""A detector's spec on its way to another process, as JSON values."""

from collections.abc import Mapping
from typing import Any

from ml_models.catalog.spec import ONNX_DEVICES, MLModelSpec, Weights
from ml_models.onnx_detector.config import TASKS

_PLAIN = (
    "name",
    "description",
    "license",
    "implementation",
    "floor_confidence",
    "default_confidence",
    "revision",
)
_FILE = ("file_name", "url", "sha256", "size_bytes")


def spec_values(spec: MLModelSpec) -> dict[str, Any]:
    """What a process needs to run the model, and what its fingerprint is made of."""
    return {
        **{name: getattr(spec, name) for name in _PLAIN},
        "task": spec.task.value,
        "labels": list(spec.labels),
        "input_size": spec.input_size,
        "options": dict(spec.options),
        "weights": None if spec.weights is None else {name: getattr(spec.weights, name) for name in _FILE},
    }


def spec_of_values(values: Mapping[str, Any]) -> MLModelSpec:
    """What `spec_values` gave, after a way through JSON."""
    size, weights = values["input_size"], values["weights"]
    return MLModelSpec(
        **{name: values[name] for name in _PLAIN},
        task=TASKS[values["task"]],
        labels=tuple(values["labels"]),
        input_size=None if size is None else (size[0], size[1]),
        options=values["options"],
        weights=None if weights is None else Weights(**weights),
        devices=ONNX_DEVICES,
    )
