"""Detectron2 (Wu, Kirillov, Massa, Lo and Girshick, 2019): Faster, Mask and Keypoint R-CNN, and RetinaNet.

The package is installed by its users; see docs/models-torch.md.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import supervision as sv
import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.data.transforms import ResizeShortestEdge
from detectron2.modeling import build_model

from ml_models.base import AbstractImageAnalysisMLModel, Frame
from ml_models.detectron2_models.checkpoint import read_weights
from ml_models.detectron2_models.config import find_config, number_of_classes, read_config
from ml_models.torch_runtime import checked_precision, choose_device, inference, not_too_thin

_FORMATS = ("BGR", "RGB")
_NAMED = 3


class Detectron2(AbstractImageAnalysisMLModel):
    """A model from a config and its weights; labels and floor are those of the spec.

    It sees a frame as Detectron2's own `DefaultPredictor` does: in the config's colour order, its shortest
    side scaled to ``INPUT.MIN_SIZE_TEST`` unless the longest would pass ``INPUT.MAX_SIZE_TEST``.

    ``mask`` is bool (n, height, width) of the frame, if the config has masks. ``data["landmarks"]`` is
    float32 (n, k, 2), in pixels of the frame, and ``data["landmark_scores"]`` float32 (n, k), if it has
    keypoints.
    """

    def _load(self) -> None:
        if self.weights_path is None:
            raise ValueError("it needs weights")
        self._device = choose_device(self.compute)
        self._precision = checked_precision(self.options["precision"], self._device)
        folder = Path(self.spec.folder) if self.spec.folder else None
        cfg = read_config(
            find_config(self.options["config"], folder),
            floor_confidence=self.spec.floor_confidence,
            device=str(self._device),
            masks=self.options["masks"],
            keypoints=self.options["keypoints"],
        )
        if number_of_classes(cfg) != len(self.spec.labels):
            classes = number_of_classes(cfg)
            raise ValueError(
                f"its config has {classes} classes, but {len(self.spec.labels)} labels are given"
            )
        if cfg.INPUT.FORMAT not in _FORMATS:
            raise ValueError(f"frames cannot be given as {cfg.INPUT.FORMAT}, only as {' or '.join(_FORMATS)}")
        self._is_rgb = cfg.INPUT.FORMAT == "RGB"
        self._resize = ResizeShortestEdge([cfg.INPUT.MIN_SIZE_TEST] * 2, cfg.INPUT.MAX_SIZE_TEST)
        self._model = build_model(cfg)
        self._model.eval()
        _load_weights(self._model, self.weights_path)

    def _analyze(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        return [self._analyze_frame(frame) for frame in frames]

    def _analyze_frame(self, frame: Frame) -> sv.Detections:
        seen = frame.shape[:2]
        frame = not_too_thin(frame)
        height, width = frame.shape[:2]
        image = frame[:, :, ::-1] if self._is_rgb else frame
        image = self._resize.get_transform(image).apply_image(image)
        tensor = torch.as_tensor(image.astype("float32").transpose(2, 0, 1))
        with inference(self._device, self._precision):
            output = self._model([{"image": tensor, "height": height, "width": width}])[0]
        if "instances" not in output:
            raise ValueError(f"it gives {', '.join(output)}, but no instances: it is no detector")
        return _detections(output["instances"].to("cpu"), seen)


def _load_weights(model: Any, path: Path) -> None:
    """Give the model its weights; a part of it without any is an error, one that it lacks is not."""
    incompatible = DetectionCheckpointer(model)._load_model(read_weights(path))
    wrong = [*incompatible.missing_keys, *(key for key, *_ in incompatible.incorrect_shapes)]
    if wrong:
        named = ", ".join(wrong[:_NAMED]) + (", …" if len(wrong) > _NAMED else "")
        raise ValueError(f"{path.name} does not fit the config: {len(wrong)} parts lack weights ({named})")


def _detections(instances: Any, size: tuple[int, int]) -> sv.Detections:
    """What was found, with masks of that height and width."""
    boxes = instances.pred_boxes.tensor.float().numpy()
    if boxes.shape[1] != 4:
        raise ValueError("rotated boxes are not supported")
    detections = sv.Detections(
        xyxy=boxes,
        confidence=instances.scores.float().numpy(),
        class_id=instances.pred_classes.numpy(),
    )
    if instances.has("pred_masks"):
        masks = instances.pred_masks[:, : size[0], : size[1]]
        detections.mask = masks.numpy().astype(bool, copy=False)
    if instances.has("pred_keypoints"):
        keypoints = instances.pred_keypoints.float().numpy()
        detections.data["landmarks"] = np.ascontiguousarray(keypoints[:, :, :2])
        detections.data["landmark_scores"] = np.ascontiguousarray(keypoints[:, :, 2])
    return detections
