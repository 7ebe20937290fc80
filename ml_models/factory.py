"""From a model's name to a model."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ml_models.catalog import MLModelSpec, OptionValue, find_spec
from ml_models.errors import PluginError, UnknownOptionError
from ml_models.naming import near_misses
from ml_models.weights import ensure_weights, is_ready

if TYPE_CHECKING:
    from ml_models.base import AbstractImageAnalysisMLModel

_DEFAULT_MODELS = ("yunet-2026may", "yunet-2023mar", "opencv-haar-face")


def create_ml_model(
    name: str,
    *,
    weights_dir: Path,
    mirror: str | None = None,
    options: Mapping[str, OptionValue] | None = None,
) -> AbstractImageAnalysisMLModel:
    """The model of that name, its weights found or downloaded; it loads on its first frame.

    Args:
        name: A name of `all_specs()`.
        weights_dir: Folder of downloaded weights.
        mirror: Folder or URL that holds weights under their official file names.
        options: Instead of the values in the model's `MLModelSpec.options`.

    Raises:
        UnknownModelError: No model has this name.
        UnknownOptionError: The model has no such option.
        PluginError: The package of a third party's model cannot be imported.
        WeightsError: Its weights are not to be had, or wrong.
    """
    spec = find_spec(name)
    implementation = _implementation(spec)
    weights_path = ensure_weights(spec, weights_dir, mirror) if spec.weights else None
    return implementation(spec, weights_path=weights_path, options=merged_options(spec, options))


def merged_options(spec: MLModelSpec, options: Mapping[str, OptionValue] | None) -> dict[str, OptionValue]:
    """The model's options, with the given ones in place of its own.

    Raises:
        UnknownOptionError: The model has no such option.
    """
    for name in options or {}:
        if name not in spec.options:
            raise UnknownOptionError(f"{spec.name} has no option {name!r}: {near_misses(name, spec.options)}")
    return {**spec.options, **(options or {})}


def default_model(weights_dir: Path, mirror: str | None = None) -> MLModelSpec:
    """The best face detector that is ready to run without a download."""
    specs = [find_spec(name) for name in _DEFAULT_MODELS]
    return next(spec for spec in specs if is_ready(spec, weights_dir, mirror))


def _implementation(spec: MLModelSpec) -> type[AbstractImageAnalysisMLModel]:
    from ml_models.base import AbstractImageAnalysisMLModel

    module_name, class_name = spec.implementation.split(":")
    origin = f"{spec.implementation}, the implementation of the model {spec.name},"
    try:
        implementation = getattr(import_module(module_name), class_name)
    except Exception as error:
        raise PluginError(f"{origin} cannot be imported: {type(error).__name__}: {error}") from error
    if not (isinstance(implementation, type) and issubclass(implementation, AbstractImageAnalysisMLModel)):
        raise PluginError(f"{origin} is no AbstractImageAnalysisMLModel")
    return implementation
