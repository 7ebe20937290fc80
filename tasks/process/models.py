"""Models kept loaded between segments."""

from pathlib import Path
from typing import Any

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.base import AbstractImageAnalysisMLModel
from ml_models.factory import create_ml_model
from tasks.process.report import Report

_MAX_LOADED = 2


class LoadedModel:
    """A model of this process.

    It loads on its first frame. A stop waits for that: an import or a load cut in half cannot always be
    done again.
    """

    def __init__(self, model: AbstractImageAnalysisMLModel) -> None:
        self._model = model
        self._is_ready = False

    def analyze(self, image: NDArray[np.uint8], report: Report) -> sv.Detections:
        """What the model finds in a frame."""
        if self._is_ready:
            return self._model.analyze([image])[0]
        with report.indivisible():
            detections = self._model.analyze([image])[0]
            self._is_ready = True
        return detections


_loaded: dict[str, LoadedModel] = {}


def loaded_model(values: dict[str, Any], report: Report) -> LoadedModel:
    """The model a request names, loaded already if this process used it lately."""
    name: str = values["ml_model"]
    with report.indivisible():
        model = _loaded.pop(name, None) or LoadedModel(
            create_ml_model(name, weights_dir=Path(values["weights_dir"]), mirror=values["weights_mirror"])
        )
        _loaded[name] = model
        while len(_loaded) > _MAX_LOADED:
            del _loaded[next(iter(_loaded))]
    return model
