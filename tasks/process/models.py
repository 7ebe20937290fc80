"""Models kept loaded between segments."""

from pathlib import Path
from typing import Any

from ml_models.base import AbstractImageAnalysisMLModel
from ml_models.factory import create_ml_model

_MAX_LOADED = 2

_loaded: dict[str, AbstractImageAnalysisMLModel] = {}


def loaded_model(values: dict[str, Any]) -> AbstractImageAnalysisMLModel:
    """The model a request names, loaded already if this process used it lately."""
    name: str = values["ml_model"]
    model = _loaded.pop(name, None) or create_ml_model(
        name, weights_dir=Path(values["weights_dir"]), mirror=values["weights_mirror"]
    )
    _loaded[name] = model
    while len(_loaded) > _MAX_LOADED:
        del _loaded[next(iter(_loaded))]
    return model
