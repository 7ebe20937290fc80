"""Models that an operator puts into a folder: a ``.yaml`` file that says what each is, and its weights.

    name: own-shapes
    family: detectron2            # or torchvision, or one of those of `ml_models.onnx_detector`
    labels: [circle, square]      # in the order of the class ids
    weights: shapes.pth           # a file beside this one, or {url: …, sha256: …, size_bytes: …}
    config: shapes_config.yaml    # what the family needs besides

YAML files without a ``family`` are left alone: a configuration of Detectron2 is YAML, too. The API process
reads model files, so nothing heavy is imported here.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from ml_models.catalog.broken import BrokenModel
from ml_models.catalog.spec import TORCH_DEVICES, MLModelSpec, MLTask, OptionValue, Weights
from ml_models.compute import PRECISIONS
from ml_models.config_fields import DETECTION_TASKS, ConfigFields, load_mapping
from ml_models.errors import ModelConfigError, ModelFileError
from ml_models.onnx_detector.config import FAMILIES as ONNX_FAMILIES
from ml_models.onnx_detector.config import checked_config
from ml_models.onnx_detector.spec import detector_spec

SUFFIX = ".yaml"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_WITH_HEADS = re.compile(r"mask|keypoint|instanceseg", re.IGNORECASE)
_HEAD_ON = re.compile(r"\b(?:MASK|KEYPOINT)_ON['\"]?\s*:\s*true", re.IGNORECASE)
_REVISION_WITH_HEADS = 2
"""Of models with masks or scores of keypoints: those of revision 1 did not store them."""
_NAME = re.compile(r"^\s*['\"]?name['\"]?\s*:\s*['\"]?([^\s'\"#]+)", re.MULTILINE)


def read_model_files(folder: Path) -> tuple[list[MLModelSpec], list[BrokenModel]]:
    """The models of the folder, by the names of their files, and those whose files are wrong.

    There are none if there is no such folder.
    """
    try:
        paths = sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))
    except OSError as error:
        unreadable = ModelFileError(f"the models folder {folder} cannot be read: {error}")
        return [], [BrokenModel(folder.name, unreadable)]
    specs, broken = [], []
    for path in paths:
        try:
            spec = read_model_file(path)
        except ModelFileError as error:
            broken.append(BrokenModel(_name_in(path), error))
        else:
            if spec is not None:
                specs.append(spec)
    return specs, broken


def _name_in(path: Path) -> str:
    """What a model calls itself in a file that is wrong, so that it is known when it is asked for by name."""
    try:
        found = _NAME.search(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    return path.stem if found is None else found[1]


def read_model_file(path: Path) -> MLModelSpec | None:
    """The model that a file describes; None if it is another kind of YAML file.

    Raises:
        ModelFileError: It describes a model, but wrongly; the message says what is wrong.
    """
    try:
        status = path.stat()
        values = _mapping(path, status.st_mtime_ns, status.st_size)
        return None if values is None else _spec(path.parent.absolute(), values)
    except (OSError, ValueError, ModelConfigError) as error:
        raise ModelFileError(f"the model file {path}: {error}") from error


@lru_cache(maxsize=256)
def _mapping(path: Path, _changed_ns: int, _size_bytes: int) -> Mapping[Any, Any] | None:
    text = path.read_text(encoding="utf-8")
    if not re.search(r"^\s*['\"]?family['\"]?\s*:", text, re.MULTILINE):
        return None
    values = load_mapping(text)
    return MappingProxyType(dict(values)) if "family" in values else None


def _spec(folder: Path, values: Mapping[Any, Any]) -> MLModelSpec:
    family = str(values.get("family")).lower()
    if family in ONNX_FAMILIES:
        weights = _weights(folder, values.get("weights"), (".onnx",))
        rest = {key: value for key, value in values.items() if key != "weights"}
        spec = detector_spec(checked_config(rest), sha256=weights.sha256, size_bytes=weights.size_bytes)
        return replace(spec, weights=weights)
    if family not in _TORCH_FAMILIES:
        known = ", ".join((*_TORCH_FAMILIES, *ONNX_FAMILIES))
        raise ModelConfigError("family", f"must be one of {known}")
    return _TORCH_FAMILIES[family](folder, ConfigFields(values))


def _detectron2(folder: Path, fields: ConfigFields) -> MLModelSpec:
    config = fields.text("config", "")
    if not config:
        raise ModelConfigError("config", "must be a YAML file beside this one, or a name of the model zoo")
    options: dict[str, OptionValue] = {
        "config": config,
        "config_sha256": _digest(folder / config),
        "masks": fields.flag("masks", True),
        "keypoints": fields.flag("keypoints", True),
    }
    return _torch_spec(
        folder,
        fields,
        has_heads=_has_heads(folder, config),
        implementation="ml_models.detectron2_models.model:Detectron2",
        extra="detectron2",
        endings=(".pth", ".pkl"),
        options=options,
    )


def _torchvision(folder: Path, fields: ConfigFields) -> MLModelSpec:
    architecture = fields.text("architecture", "")
    if not architecture:
        raise ModelConfigError("architecture", "must be the name of a detector of torchvision")
    options: dict[str, OptionValue] = {
        "architecture": architecture,
        "sparse_coco_ids": fields.flag("sparse_coco_ids", False),
        "frozen_batch_norm_epsilon": fields.number("frozen_batch_norm_epsilon", 1e-5, 0, 1),
        "keypoints": int(fields.number("keypoints", 17, 1, 1000)),
        "masks": fields.flag("masks", True),
        "min_size": int(fields.number("min_size", 0, 0, 4096)),
        "max_size": int(fields.number("max_size", 0, 0, 8192)),
    }
    return _torch_spec(
        folder,
        fields,
        has_heads=architecture.startswith(("maskrcnn", "keypointrcnn")),
        implementation="ml_models.torchvision_models.model:TorchvisionDetector",
        extra="torch",
        endings=(".pth",),
        options=options,
    )


_TORCH_FAMILIES: Mapping[str, Callable[[Path, ConfigFields], MLModelSpec]] = {
    "detectron2": _detectron2,
    "torchvision": _torchvision,
}


def _torch_spec(
    folder: Path,
    fields: ConfigFields,
    *,
    has_heads: bool,
    implementation: str,
    extra: str,
    endings: tuple[str, ...],
    options: dict[str, OptionValue],
) -> MLModelSpec:
    fields.take("family")
    floor = fields.number("floor_confidence", 0.1, 0, 1)
    spec = MLModelSpec(
        name=fields.name(),
        task=MLTask[fields.choice("task", "OBJECT_DETECTION", DETECTION_TASKS)],
        labels=fields.labels(),
        description=fields.text("description", "A detector of this server's own."),
        license=fields.text("license", "LicenseRef-unknown"),
        training_data=fields.text("training_data", ""),
        known_limits=fields.text("known_limits", ""),
        implementation=implementation,
        weights=_weights(folder, fields.take("weights"), endings),
        requires_extra=extra,
        devices=TORCH_DEVICES,
        floor_confidence=floor,
        default_confidence=fields.number("default_confidence", max(0.5, floor), floor, 1),
        options={**options, "precision": fields.choice("precision", "float32", PRECISIONS)},
        folder=str(folder),
        revision=_REVISION_WITH_HEADS if has_heads else 1,
    )
    fields.refuse_unknown()
    return spec


def _weights(folder: Path, value: Any, endings: tuple[str, ...]) -> Weights:
    if isinstance(value, str) and not urlsplit(value).scheme:
        weights = _local_weights(folder / value)
    elif isinstance(value, str):
        raise ModelConfigError("weights", "from a URL need a checksum: {url: …, sha256: …, size_bytes: …}")
    elif isinstance(value, dict):
        weights = _remote_weights(**{key: value.get(key) for key in ("url", "sha256", "size_bytes")})
    else:
        raise ModelConfigError("weights", "must be a file beside this one, or {url, sha256, size_bytes}")
    if not weights.file_name.endswith(endings):
        raise ModelConfigError("weights", f"of this family end with {' or '.join(endings)}")
    return weights


def _local_weights(path: Path) -> Weights:
    """The file where it lies: as its path is absolute, it is not looked for in the weights folder."""
    try:
        status = path.stat()
        sha256 = _sha256(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise ModelConfigError("weights", f"cannot be read: {error}") from error
    return Weights(file_name=str(path.absolute()), url="", sha256=sha256, size_bytes=status.st_size)


def _remote_weights(url: Any, sha256: Any, size_bytes: Any) -> Weights:
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in {"http", "https"} or not Path(parts.path).name:
        raise ModelConfigError("weights", "url must begin with https:// and end with the name of a file")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ModelConfigError("weights", "sha256 must be 64 hexadecimal digits in quotation marks")
    if type(size_bytes) is not int or size_bytes <= 0:
        raise ModelConfigError("weights", "size_bytes must be a positive number")
    file_name = f"{sha256[:12]}-{Path(parts.path).name}"
    return Weights(file_name=file_name, url=str(url), sha256=sha256, size_bytes=size_bytes)


def _has_heads(folder: Path, config: str) -> bool:
    """Whether a configuration of Detectron2, or of its model zoo, seems to give masks or keypoints."""
    path = folder / config
    if not path.is_file():
        return _WITH_HEADS.search(config) is not None
    return _HEAD_ON.search(path.read_text(errors="replace")) is not None


def _digest(path: Path) -> str:
    """The checksum of a file of the operator's own; empty for what is no such file.

    As an option it is part of the fingerprint: another config gives other detections.
    """
    if not path.is_file():
        return ""
    status = path.stat()
    return _sha256(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _sha256(path: Path, _changed_ns: int, _size_bytes: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
