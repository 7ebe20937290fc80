"""The configuration of a Detectron2 model: a YAML file of the operator's own, or a name of the model zoo."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from detectron2.config import get_cfg

_SINGLE_STAGE = ("RetinaNet", "FCOS")


@dataclass(frozen=True)
class ConfigFile:
    """A file with a configuration.

    Args:
        path: Where it lies.
        is_of_zoo: Whether it is part of Detectron2 itself. Some of these hold expressions of Python; in other
            files, that is refused.
    """

    path: Path
    is_of_zoo: bool


def find_config(name: str, folder: Path | None) -> ConfigFile:
    """The file: beside the model file, or that of the model zoo inside the installed Detectron2.

    The zoo's own module is not asked, as it needs a part of setuptools that newer ones lack.

    Raises:
        ValueError: There is none, it is no YAML, or it is not complete.
    """
    if not name:
        raise ValueError(
            "options must name a config: a YAML file beside the model file, or a model zoo's name"
        )
    if name.endswith(".py"):
        raise ValueError(f"{name}: configs written in Python are not read, since they run code; use YAML")
    if folder is not None and (folder / name).is_file():
        _check_is_complete(folder / name)
        return ConfigFile(folder / name, is_of_zoo=False)
    zoo = Path(str(files("detectron2"))) / "model_zoo" / "configs"
    found = zoo / (name if name.endswith(".yaml") else f"{name}.yaml")
    if not found.is_file():
        raise ValueError(f"there is no config {name}, neither in {folder} nor in Detectron2's model zoo")
    return ConfigFile(found, is_of_zoo=True)


def _check_is_complete(path: Path) -> None:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"the config {path.name} is no plain YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"the config {path.name} must hold keys and values")
    if "_BASE_" in content:
        raise ValueError(
            f"the config {path.name} leans on {content['_BASE_']}: write the whole of it with cfg.dump(), "
            "or take the config.yaml that training left, so that a change elsewhere cannot change detections"
        )


def read_config(
    file: ConfigFile, *, floor_confidence: float, device: str, masks: bool, keypoints: bool
) -> Any:
    """The config as Framewise runs it: detections down to the floor, on this device, heads as wanted."""
    cfg = get_cfg()
    cfg.merge_from_file(str(file.path), allow_unsafe=file.is_of_zoo)
    cfg.MODEL.WEIGHTS = ""
    cfg.MODEL.DEVICE = device
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = floor_confidence
    cfg.MODEL.RETINANET.SCORE_THRESH_TEST = floor_confidence
    cfg.MODEL.MASK_ON = cfg.MODEL.MASK_ON and masks
    cfg.MODEL.KEYPOINT_ON = cfg.MODEL.KEYPOINT_ON and keypoints
    return cfg


def number_of_classes(cfg: Any) -> int:
    """How many labels the model of this config tells apart."""
    is_single_stage = cfg.MODEL.META_ARCHITECTURE in _SINGLE_STAGE
    node = cfg.MODEL.RETINANET if is_single_stage else cfg.MODEL.ROI_HEADS
    return int(node.NUM_CLASSES)
