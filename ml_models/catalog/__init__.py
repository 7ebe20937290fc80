"""The table of models: what each is called, finds, needs and may be used for.

One file a family. The API process reads this package, so it imports nothing heavy: an implementation is named
as ``"module:Class"`` and imported only where it runs.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ml_models.catalog.broken import BrokenModel, tell_of_broken_models
from ml_models.catalog.dlib import DLIB
from ml_models.catalog.embeddings import EMBEDDINGS
from ml_models.catalog.nanodet import NANODET
from ml_models.catalog.opencv import OPENCV
from ml_models.catalog.spec import (
    ONNX_DEVICES,
    MLModelSpec,
    MLTask,
    OptionValue,
    PackagedFile,
    Weights,
    WeightsBuild,
)
from ml_models.catalog.torchvision import TORCHVISION
from ml_models.catalog.yolox import YOLOX
from ml_models.catalog.yunet import YUNET
from ml_models.errors import ModelFileError, PluginError, UnknownModelError
from ml_models.naming import near_misses

__all__ = [
    "CATALOG",
    "ENTRY_POINT_GROUP",
    "ONNX_DEVICES",
    "BrokenModel",
    "MLModelSpec",
    "MLTask",
    "OptionValue",
    "PackagedFile",
    "Weights",
    "WeightsBuild",
    "all_specs",
    "broken_models",
    "find_spec",
    "use_models_dir",
]

ENTRY_POINT_GROUP = "framewise.ml_models"

CATALOG: tuple[MLModelSpec, ...] = (
    *YUNET,
    *OPENCV[:1],
    *YOLOX,
    *NANODET,
    *OPENCV[1:],
    *DLIB,
    *TORCHVISION,
    *EMBEDDINGS,
)


def all_specs() -> dict[str, MLModelSpec]:
    """Every model by name: the catalogue, those that installed packages offer, and the operator's files.

    A package offers an `MLModelSpec` under the entry point group ``framewise.ml_models``; an operator puts
    files into the folder of `use_models_dir`. What is wrong with one of them keeps no other away: the log and
    `broken_models` tell of it.
    """
    return _offered()[0]


def broken_models() -> tuple[BrokenModel, ...]:
    """What `all_specs` leaves out.

    That is an entry point that cannot be imported or is no `MLModelSpec`, a file that does not describe a
    model as it must, and whatever takes a name that another model has. Of two files with one name both are
    here.
    """
    return _offered()[1]


def _offered() -> tuple[dict[str, MLModelSpec], tuple[BrokenModel, ...]]:
    """What can be used, by name, and what cannot."""
    plugins, broken_plugins = _plugin_specs()
    specs = {spec.name: spec for spec in (*CATALOG, *plugins)}
    from_files, broken = _file_specs()
    broken = [*broken_plugins, *broken]
    names = [spec.name for spec in from_files]
    for spec in from_files:
        if spec.name in specs or names.count(spec.name) > 1:
            problem = f"a file in {_models_dir} takes the name {spec.name}, which another model has"
            broken.append(BrokenModel(spec.name, ModelFileError(problem)))
    specs.update({spec.name: spec for spec in from_files if spec.name not in {*specs, *_names(broken)}})
    tell_of_broken_models(broken)
    return specs, tuple(broken)


def _names(broken: Sequence[BrokenModel]) -> set[str]:
    return {model.name for model in broken}


_models_dir: Path | None = None


def use_models_dir(folder: Path | None) -> None:
    """Say where the operator's model files lie; each process says it once, as it starts."""
    global _models_dir  # like installed packages, the folder is one for the whole process
    _models_dir = folder


def _file_specs() -> tuple[list[MLModelSpec], list[BrokenModel]]:
    if _models_dir is None:
        return [], []
    from ml_models.model_files import read_model_files  # here, as it needs this package

    return read_model_files(_models_dir)


def find_spec(name: str) -> MLModelSpec:
    """The model of that name.

    Raises:
        UnknownModelError: There is none; the message names those that come near.
        PluginError: It is one of `broken_models`.
    """
    for spec in CATALOG:
        if spec.name == name:
            return spec
    specs, broken = _offered()
    if name in specs:
        return specs[name]
    for model in broken:
        if model.name == name:
            raise type(model.error)(*model.error.args)  # anew, as that one is kept and shared by threads
    raise UnknownModelError(f"there is no model {name!r}: {near_misses(name, specs)}")


@lru_cache(maxsize=1)
def _plugin_specs() -> tuple[tuple[MLModelSpec, ...], tuple[BrokenModel, ...]]:
    """The models of installed packages; looked for once, since packages are not installed under a server."""
    names = {spec.name for spec in CATALOG}
    specs, broken = [], []
    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda found: found.name):
        try:
            spec = _plugin_spec(entry_point)
            if spec.name in names:
                raise PluginError(f"{_origin(entry_point)} takes a name that another model has")
        except PluginError as error:
            broken.append(BrokenModel(entry_point.name, error))
            continue
        names.add(spec.name)
        specs.append(spec)
    return tuple(specs), tuple(broken)


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
