"""The detectors of torchvision: Faster, Mask and Keypoint R-CNN, RetinaNet, FCOS, SSD and SSDlite."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import supervision as sv
import torch
from torch import nn
from torchvision.models import detection, get_model, list_models
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import FrozenBatchNorm2d

from ml_models.base import AbstractImageAnalysisMLModel, Frame
from ml_models.coco import COCO_CATEGORY_IDS
from ml_models.naming import near_misses
from ml_models.torch_runtime import (
    checked_precision,
    choose_device,
    inference,
    not_too_thin,
    read_checkpoint,
)

_MASK_THRESHOLD = 0.5
_PASTED_AT_ONCE = 8
"""Masks that take four bytes for each pixel of the frame: 100 of 1080p would be 830 MB."""


class TorchvisionDetector(AbstractImageAnalysisMLModel):
    """A detector of torchvision, by the name of its architecture, with the labels of the spec.

    Class 0 of the network is the background, so it has one class more than there are labels. With the option
    `sparse_coco_ids`, its classes are the 91 category ids of COCO, of which 80 are in use.

    ``mask`` is bool (n, height, width) of the frame for Mask R-CNN. ``data["landmarks"]`` is float32
    (n, k, 2), in pixels of the frame, and ``data["landmark_scores"]`` float32 (n, k), for Keypoint R-CNN.
    """

    def _load(self) -> None:
        if self.weights_path is None:
            raise ValueError("it needs weights")
        self._device = choose_device(self.compute)
        self._precision = checked_precision(self.options["precision"], self._device)
        self._class_id_of_output = self._class_ids_of_outputs()
        state = read_checkpoint(self.weights_path)
        state = state.get("model", state)
        model = _build(self.options["architecture"], len(self._class_id_of_output), self.options["keypoints"])
        _freeze_batch_norm(model, state, self.options["frozen_batch_norm_epsilon"])
        model.load_state_dict(state)
        self._set_up(model)
        self._model = model.eval().to(self._device)

    def _class_ids_of_outputs(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """For each class of the network the class id of the spec, -1 if it has none."""
        labels = len(self.spec.labels)
        if not self.options["sparse_coco_ids"]:
            return np.arange(-1, labels)
        if labels != len(COCO_CATEGORY_IDS):
            raise ValueError(f"with sparse_coco_ids, the labels must be the {len(COCO_CATEGORY_IDS)} of COCO")
        ids = np.full(max(COCO_CATEGORY_IDS) + 1, -1)
        ids[list(COCO_CATEGORY_IDS)] = np.arange(labels)
        return ids

    def _set_up(self, model: Any) -> None:
        """Detections down to the floor, the size and the heads as wanted."""
        head = model.roi_heads if hasattr(model, "roi_heads") else model
        head.score_thresh = self.spec.floor_confidence
        if not self.options["masks"] and hasattr(model, "roi_heads"):
            model.roi_heads.mask_roi_pool = None
        if self.options["min_size"]:
            model.transform.min_size = (self.options["min_size"],)
        if self.options["max_size"]:
            model.transform.max_size = self.options["max_size"]
        model.transform.postprocess = _MaskPasting(model.transform.postprocess)

    def _analyze(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        return [self._analyze_frame(frame) for frame in frames]

    def _analyze_frame(self, frame: Frame) -> sv.Detections:
        height, width = frame.shape[:2]
        rgb = np.ascontiguousarray(not_too_thin(frame)[:, :, ::-1].transpose(2, 0, 1))
        tensor = torch.from_numpy(rgb).to(self._device).float().div_(255)
        with inference(self._device, self._precision):
            (output,) = self._model([tensor])
        found = {name: values.cpu().numpy() for name, values in output.items()}
        if "masks" in found:
            found["masks"] = found["masks"][:, :height, :width]
        class_ids = self._class_id_of_output[found["labels"]]
        known = class_ids >= 0
        return _detections({name: values[known] for name, values in found.items()}, class_ids[known])


class _MaskPasting:
    """torchvision's `postprocess`, with masks as bool (n, height, width) from the start.

    Args:
        postprocess: Of the model's transform.
    """

    def __init__(self, postprocess: Any) -> None:
        self._postprocess = postprocess

    def __call__(
        self, result: list[dict[str, Any]], image_shapes: Any, original_sizes: Any
    ) -> list[dict[str, Any]]:
        small = [found.pop("masks", None) for found in result]
        results: list[dict[str, Any]] = self._postprocess(result, image_shapes, original_sizes)
        for found, masks, size in zip(results, small, original_sizes, strict=True):
            if masks is not None:
                found["masks"] = _pasted(masks, found["boxes"], size)
        return results


def _pasted(masks: Any, boxes: Any, size: tuple[int, int]) -> Any:
    pasted = torch.zeros((len(masks), *size), dtype=torch.bool, device=masks.device)
    for start in range(0, len(masks), _PASTED_AT_ONCE):
        part = slice(start, start + _PASTED_AT_ONCE)
        pasted[part] = paste_masks_in_image(masks[part], boxes[part], size)[:, 0] > _MASK_THRESHOLD
    return pasted


def _build(architecture: str, classes: int, keypoints: int) -> Any:
    known = list_models(module=detection)
    if architecture not in known:
        raise ValueError(f"torchvision has no detector {architecture!r}: {near_misses(architecture, known)}")
    more = {"num_keypoints": keypoints} if architecture.startswith("keypointrcnn") else {}
    return get_model(architecture, weights=None, weights_backbone=None, num_classes=classes, **more)


def _freeze_batch_norm(model: Any, state: Mapping[str, Any], epsilon: float) -> None:
    """Replace batch normalisation that does not count batches: it was frozen in training.

    torchvision freezes that of some backbones where training starts from trained weights.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.BatchNorm2d) and f"{name}.num_batches_tracked" not in state:
            model.set_submodule(name, FrozenBatchNorm2d(module.num_features, eps=epsilon))


def _detections(found: dict[str, Any], class_ids: Any) -> sv.Detections:
    detections = sv.Detections(xyxy=found["boxes"], confidence=found["scores"], class_id=class_ids)
    if "masks" in found:
        detections.mask = found["masks"]
    if "keypoints" in found:
        detections.data["landmarks"] = np.ascontiguousarray(found["keypoints"][:, :, :2], dtype=np.float32)
        detections.data["landmark_scores"] = found["keypoints_scores"]
    return detections
