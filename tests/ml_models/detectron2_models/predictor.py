"""Detectron2's own `DefaultPredictor`: what the adapter must equal."""

import numpy as np
import torch
from detectron2.config import get_cfg
from detectron2.engine import DefaultPredictor


def predictor_of(folder, name, threshold):
    cfg = get_cfg()
    cfg.merge_from_file(str(folder / f"{name}_config.yaml"))
    cfg.MODEL.WEIGHTS = str(folder / f"{name}.pth")
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = threshold
    cfg.MODEL.RETINANET.SCORE_THRESH_TEST = threshold
    torch.set_num_threads(1)
    return DefaultPredictor(cfg)


def predicted(predictor, image):
    """Its instances in the order in which Framewise gives detections."""
    instances = predictor(image)["instances"]
    boxes = instances.pred_boxes.tensor.numpy()
    confidence = instances.scores.numpy()
    class_id = instances.pred_classes.numpy()
    order = np.lexsort((class_id, *boxes.T[::-1], -confidence))
    return instances[torch.from_numpy(order)]
