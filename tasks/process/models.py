"""Models kept loaded between segments."""

from pathlib import Path
from typing import Any

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.base import AbstractImageAnalysisMLModel
from ml_models.catalog import MLModelSpec, find_spec, use_models_dir
from ml_models.compute import Compute, Device
from ml_models.config_fields import NAME_PREFIX
from ml_models.errors import ModelChangedError
from ml_models.factory import create_ml_model
from ml_models.onnx_detector.transfer import spec_of_values
from tasks.process.report import Report

_MAX_LOADED = 2
_FACE = "face"
"""The label of what may become people."""


class LoadedModel:
    """A model of this process.

    It loads on its first frame. A stop waits for that: an import or a load cut in half cannot always be
    done again.
    """

    def __init__(self, model: AbstractImageAnalysisMLModel) -> None:
        self._model = model
        self._is_ready = False

    @property
    def default_confidence(self) -> float:
        """The threshold of an analysis that names none."""
        return self._model.spec.default_confidence

    @property
    def finds_faces(self) -> bool:
        """Whether what it finds may become people."""
        return _FACE in self._model.spec.labels

    def analyze(self, image: NDArray[np.uint8], report: Report) -> sv.Detections:
        """What the model finds in a frame; masks as `MASK_RUNS`."""
        if self._is_ready:
            return self._model.analyze([image], compact_masks=True)[0]
        with report.indivisible():
            detections = self._model.analyze([image], compact_masks=True)[0]
            self._is_ready = True
        return detections


def requested_compute(values: dict[str, Any]) -> Compute | None:
    """Where a request wants models to compute; None for what they do by themselves."""
    device = Device(values.get("device", Device.CPU.value))
    bfloat16 = is_reduced(values)
    return None if device is Device.CPU and not bfloat16 else Compute(device, bfloat16=bfloat16)


def is_reduced(values: dict[str, Any]) -> bool:
    """Whether a request wants networks computed in bfloat16."""
    return (values.get("detection_options") or {}).get("precision") == "BF16"


def _file_spec(values: dict[str, Any]) -> MLModelSpec | None:
    """The model of an operator's model file; None for other models.

    Raises:
        ModelChangedError: It is no longer the one whose detections the worker asks for.
    """
    if not values["ml_model"].startswith(NAME_PREFIX):
        return None
    use_models_dir(Path(values["models_dir"]))
    spec = find_spec(values["ml_model"])
    if spec.fingerprint() != values["fingerprint"]:
        raise ModelChangedError(f"the model {spec.name} was changed in this moment")
    return spec


_loaded: dict[str, LoadedModel] = {}


def loaded_model(values: dict[str, Any], report: Report) -> LoadedModel:
    """The model a request names, loaded already if this process used it lately."""
    own = values.get("ml_model_spec")
    spec = _file_spec(values) if own is None else spec_of_values(own)
    # A name may be used again for another uploaded model, or for a model file that was changed.
    key: str = values["ml_model"] if spec is None else spec.fingerprint()
    key += " in bfloat16" if is_reduced(values) else ""
    with report.indivisible():
        model = _loaded.pop(key, None) or LoadedModel(
            create_ml_model(
                spec or values["ml_model"],
                weights_dir=Path(values["weights_dir"]),
                mirror=values["weights_mirror"],
                compute=requested_compute(values),
            )
        )
        _loaded[key] = model
        while len(_loaded) > _MAX_LOADED:
            del _loaded[next(iter(_loaded))]
    return model
