"""Reading the weights of Detectron2 without running what a pickle may hold."""

import collections
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ml_models.torch_runtime import read_checkpoint as read_torch_checkpoint

_RECONSTRUCT = np.empty(0).__reduce__()[0]
_SCALAR = np.float32(0).__reduce__()[0]


def _encode(text: str, encoding: str) -> bytes:
    """How older pickles hold bytes."""
    if encoding not in {"latin1", "latin-1"}:
        raise pickle.UnpicklingError(f"it names the encoding {encoding}")
    return text.encode("latin-1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _RECONSTRUCT for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _SCALAR for core in ("core", "_core")},
}


class _ArrayUnpickler(pickle.Unpickler):
    """Reads arrays, texts, numbers, lists and dictionaries; refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}") from None


def read_weights(path: Path) -> dict[str, Any]:
    """What a `.pkl` of Detectron2's model zoo, or a `.pth` of a trainer, holds: ``model`` and more.

    Raises:
        ValueError: It holds something that could run code as it is read, or no weights.
    """
    content = _read_pickle(path) if path.suffix == ".pkl" else read_torch_checkpoint(path)
    if "model" in content:
        return {key: content[key] for key in ("model", "__author__", "matching_heuristics") if key in content}
    if path.suffix == ".pkl":
        raise ValueError(f"{path.name} holds no 'model': it is not from Detectron2's model zoo")
    return {"model": content}


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path.name} is not read, since it holds more than arrays ({reason})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds a {type(content).__name__}, not the weights of a model")
    return content
