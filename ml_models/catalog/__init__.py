"""The table of models: what each is called, finds, needs and may be used for.

One file a family. The API process reads this package, so it imports nothing heavy: an implementation is named
as ``"module:Class"`` and imported only where it runs.
"""

from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ml_models.catalog.dlib import DLIB
from ml_models.catalog.embeddings import EMBEDDINGS
from ml_models.catalog.nanodet import NANODET
from ml_models.catalog.opencv import OPENCV
from ml_models.catalog.spec import ONNX_DEVICES, MLModelSpec, MLTask, OptionValue, PackagedFile, Weights
from ml_models.catalog.torchvision import TORCHVISION
from ml_models.catalog.yolox import YOLOX
from ml_models.catalog.yunet import YUNET
from ml_models.errors import ModelFileError, PluginError, UnknownModelError
from ml_models.naming import near_misses

__all__ = [
    "CATALOG",
    "ENTRY_POINT_GROUP",
    "ONNX_DEVICES",
    "MLModelSpec",
    "MLTask",
    "OptionValue",
    "PackagedFile",
    "Weights",
    "all_specs",
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
    files into the folder of `use_models_dir`.

    Raises:
        ModelFileError: One of these files is wrong, or takes a name twice.
        PluginError: A package's entry point cannot be imported, is no `MLModelSpec`, or takes a name twice.
    """
    specs = {spec.name: spec for spec in (*CATALOG, *_plugin_specs())}
    for spec in _file_specs():
        if spec.name in specs:
            raise ModelFileError(
                f"a file in {_models_dir} takes the name {spec.name}, which another model has"
            )
        specs[spec.name] = spec
    return specs


_models_dir: Path | None = None


def use_models_dir(folder: Path | None) -> None:
    """Say where the operator's model files lie; each process says it once, as it starts."""
    global _models_dir  # like installed packages, the folder is one for the whole process
    _models_dir = folder


def _file_specs() -> tuple[MLModelSpec, ...]:
    if _models_dir is None:
        return ()
    from ml_models.model_files import read_model_files  # here, as it needs this package

    return read_model_files(_models_dir)


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
