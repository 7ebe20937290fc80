"""From a model's name to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ml_models.catalog import MLModelSpec, MLTask, OptionValue, all_specs, find_spec
from ml_models.errors import ExtraMissingError, PluginError, UnknownModelError, UnknownOptionError
from ml_models.naming import near_misses
from ml_models.weights import ensure_weights, is_ready

if TYPE_CHECKING:
    from ml_models.base import AbstractImageAnalysisMLModel
    from ml_models.compute import Compute
    from ml_models.embedder import AbstractEmbedder

_Model = TypeVar("_Model")

_DEFAULT_MODELS = ("yunet-2026may", "yunet-2023mar", "opencv-haar-face")
_FACE_EMBEDDERS = ("mobilefacenet", "sface")
"""The smaller first; the second can be downloaded, and the first only from a mirror."""


def create_ml_model(
    name: str | MLModelSpec,
    *,
    weights_dir: Path,
    mirror: str | None = None,
    options: Mapping[str, OptionValue] | None = None,
    compute: Compute | None = None,
) -> AbstractImageAnalysisMLModel:
    """The model of that name, its weights found or downloaded; it loads on its first frame.

    Args:
        name: A name of `all_specs()`, or a model that is not among them.
        weights_dir: Folder of downloaded weights.
        mirror: Folder or URL that holds weights under their official file names.
        options: Instead of the values in the model's `MLModelSpec.options`.
        compute: The device and threads to use; one thread of the CPU by default.

    Raises:
        UnknownModelError: No model has this name, or it is one that describes what others found.
        UnknownOptionError: The model has no such option.
        ExtraMissingError: Packages that it needs are not installed.
        PluginError: The package of a third party's model cannot be imported.
        WeightsError: Its weights are not to be had, or wrong.
    """
    from ml_models.base import AbstractImageAnalysisMLModel

    spec = name if isinstance(name, MLModelSpec) else find_spec(name)
    check_detects(spec)
    implementation = _implementation(spec, AbstractImageAnalysisMLModel)  # type: ignore[type-abstract]
    return implementation(spec, **_arguments(spec, weights_dir, mirror, options, compute))


def create_embedder(
    name: str,
    *,
    weights_dir: Path,
    mirror: str | None = None,
    options: Mapping[str, OptionValue] | None = None,
    compute: Compute | None = None,
) -> AbstractEmbedder:
    """The embedding model of that name, as `create_ml_model` gives detectors; it loads at its first use.

    Raises:
        UnknownModelError: No model has this name, or it is one that finds things.
        UnknownOptionError: The model has no such option.
        ExtraMissingError: Packages that it needs are not installed.
        PluginError: The package of a third party's model cannot be imported.
        WeightsError: Its weights are not to be had, or wrong.
    """
    from ml_models.embedder import AbstractEmbedder

    spec = find_spec(name)
    if not spec.task.is_embedding:
        raise UnknownModelError(f"{name} describes nothing: it is no embedding model")
    implementation = _implementation(spec, AbstractEmbedder)  # type: ignore[type-abstract]
    return implementation(spec, **_arguments(spec, weights_dir, mirror, options, compute))


def check_detects(spec: MLModelSpec) -> None:
    """Check that a model finds things in frames.

    Raises:
        UnknownModelError: It does something else.
    """
    if not spec.task.is_detection:
        raise UnknownModelError(f"{spec.name} finds nothing by itself: it describes what a detector found")


def check_installed(spec: MLModelSpec) -> None:
    """Check that the packages are there which a model needs.

    Raises:
        ExtraMissingError: They are not; the message says what to install.
    """
    if spec.extra is not None and not spec.extra.is_installed():
        raise ExtraMissingError(
            f"{spec.name} needs packages that are not installed: {spec.extra.how_to_install}"
        )


def _arguments(
    spec: MLModelSpec,
    weights_dir: Path,
    mirror: str | None,
    options: Mapping[str, OptionValue] | None,
    compute: Compute | None,
) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "weights_path": ensure_weights(spec, weights_dir, mirror) if spec.weights else None,
        "options": merged_options(spec, options),
    }
    # A third party's model may have an `__init__` of before there was a choice.
    return arguments if compute is None else {**arguments, "compute": compute}


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


def default_face_embedder(weights_dir: Path, mirror: str | None = None) -> MLModelSpec:
    """What describes faces: the first of `_FACE_EMBEDDERS` if it is ready, else the second."""
    first, second = (find_spec(name) for name in _FACE_EMBEDDERS)
    return first if is_ready(first, weights_dir, mirror) else second


def find_face_embedder(name: str) -> MLModelSpec:
    """The embedding model of that name, which describes faces.

    Raises:
        UnknownModelError: There is none, or it describes something else; the message names those that do.
        ExtraMissingError: Packages that it needs are not installed.
        PluginError: As `find_spec`.
    """
    spec = face_embedder_spec(name)
    check_installed(spec)
    return spec


def face_embedder_spec(name: str) -> MLModelSpec:
    """As `find_face_embedder`, whether or not its packages are installed."""
    try:
        spec = find_spec(name)
    except UnknownModelError:
        known = near_misses(name, _face_embedders())
        raise UnknownModelError(f"there is no model {name!r} that describes faces: {known}") from None
    if not _describes_faces(spec):
        raise UnknownModelError(f"{name} does not describe faces: {near_misses('', _face_embedders())}")
    return spec


def _face_embedders() -> list[str]:
    return [spec.name for spec in all_specs().values() if _describes_faces(spec)]


def _describes_faces(spec: MLModelSpec) -> bool:
    return spec.task is MLTask.FACE_EMBEDDING and spec.same_similarity is not None


def _implementation(spec: MLModelSpec, base: type[_Model]) -> Callable[..., _Model]:
    check_installed(spec)
    module_name, class_name = spec.implementation.split(":")
    origin = f"{spec.implementation}, the implementation of the model {spec.name},"
    try:
        implementation = getattr(import_module(module_name), class_name)
    except Exception as error:
        raise PluginError(f"{origin} cannot be imported: {type(error).__name__}: {error}") from error
    if not (isinstance(implementation, type) and issubclass(implementation, base)):
        raise PluginError(f"{origin} is no {base.__name__}")
    return implementation
