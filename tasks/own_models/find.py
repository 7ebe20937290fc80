"""The models of this server: those of the catalogue, and those that administrators uploaded.

The uploaded ones are rows, which only the API and workers see. An analysis process gets the spec of such a
model with its request, and finds the file in the weights folder, where the worker has put it.
"""

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Any

from domain.own_models.models import OwnModel
from domain.own_models.service import find_own_model, list_own_models
from ml_models.catalog import MLModelSpec, all_specs, find_spec
from ml_models.config_fields import NAME_PREFIX
from ml_models.errors import UnknownModelError, WeightsUnavailableError
from ml_models.naming import near_misses
from ml_models.onnx_detector.config import DetectorConfig
from ml_models.onnx_detector.spec import FILE_PREFIX, detector_spec, file_name_of
from ml_models.onnx_detector.transfer import spec_values
from ml_models.weights import find_weights
from storage.base import AbstractStorage
from storage.errors import FileMissingError


async def find_model(name: str) -> MLModelSpec:
    """The model of that name, uploaded ones included.

    Raises:
        UnknownModelError: There is none; the message names those that come near.
        MLModelError: As `find_spec`.
    """
    if not name.startswith(NAME_PREFIX):
        return find_spec(name)
    row = await find_own_model(name)
    if row is not None:
        return spec_of_row(row)
    try:
        return find_spec(name)
    except UnknownModelError:
        known = {*all_specs(), *(row.name for row in await list_own_models())}
        raise UnknownModelError(f"there is no model {name!r}: {near_misses(name, known)}") from None


async def uploaded_specs() -> list[MLModelSpec]:
    """The models that administrators uploaded, by name."""
    return [spec_of_row(row) for row in await list_own_models()]


def spec_of_row(row: OwnModel) -> MLModelSpec:
    """The model in this row."""
    return detector_spec(DetectorConfig.from_values(row.config), sha256=row.sha256, size_bytes=row.size_bytes)


def uploaded_spec_values(spec: MLModelSpec) -> dict[str, Any] | None:
    """What a request tells an analysis process of an uploaded model; None: it knows the model by its name."""
    return spec_values(spec) if _is_uploaded(spec) else None


def _is_uploaded(spec: MLModelSpec) -> bool:
    """Whether the model's file comes from storage; that of an operator's model file has a path of its own."""
    weights = spec.weights
    return weights is not None and weights.file_name == file_name_of(weights.sha256)


async def provide_weights(storage: AbstractStorage, spec: MLModelSpec, weights_dir: Path) -> bool:
    """Put the file of an uploaded model into the weights folder if it is not there; False for other models.

    Raises:
        WeightsUnavailableError: The model was deleted, or its file is lost.
    """
    if spec.weights is None or not _is_uploaded(spec):
        return False
    if find_weights(spec, weights_dir) is None:
        row = await find_own_model(spec.name)
        try:
            if row is None:
                raise FileMissingError(spec.name)
            await storage.download(row.storage_key, weights_dir / spec.weights.file_name)
        except FileMissingError:
            raise WeightsUnavailableError(
                f"the model {spec.name} was deleted, or its file is lost: an administrator has to upload it "
                "again"
            ) from None
    return True


async def remove_unused_files(weights_dir: Path) -> int:
    """Remove files of deleted models from the weights folder of this machine; how many there were."""
    known = {spec.weights.file_name for spec in await uploaded_specs() if spec.weights is not None}
    return await asyncio.to_thread(_remove_all_but, weights_dir, known)


def _remove_all_but(weights_dir: Path, known: Collection[str]) -> int:
    unused = [path for path in weights_dir.glob(f"{FILE_PREFIX}*.onnx") if path.name not in known]
    for path in unused:
        path.unlink(missing_ok=True)
    return len(unused)
