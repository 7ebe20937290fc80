"""Detectors of Detectron2 so small that they are made in a test, and drawn shapes for them to find.

Import it where Detectron2 is installed only.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

LABELS = ("circle", "square")
HEIGHT, WIDTH = 96, 128
_STEPS = 120


def draw(rng):
    """A BGR picture of two shapes, one in each half; their boxes; their classes."""
    image = rng.integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    boxes, classes = [], []
    for half in range(2):
        side = int(rng.integers(22, 38))
        x = int(rng.integers(2, WIDTH // 2 - side - 2)) + half * WIDTH // 2
        y = int(rng.integers(2, HEIGHT - side - 2))
        kind = int(rng.integers(0, 2))
        paint(image, kind, x, y, side)
        boxes.append([x, y, x + side, y + side])
        classes.append(kind)
    return image, boxes, classes


def paint(image, kind, x, y, side):
    if kind == 0:
        cv2.circle(image, (x + side // 2, y + side // 2), side // 2, (60, 220, 60), -1)
    else:
        cv2.rectangle(image, (x, y), (x + side, y + side), (60, 60, 230), -1)


def faster_rcnn():
    """A config of a quarter of a million parameters, without a base."""
    cfg = get_cfg()
    model = cfg.MODEL
    model.META_ARCHITECTURE = "GeneralizedRCNN"
    model.DEVICE = "cpu"
    model.WEIGHTS = ""
    model.BACKBONE.NAME = "build_resnet_backbone"
    model.BACKBONE.FREEZE_AT = 0
    model.RESNETS.DEPTH = 18
    model.RESNETS.RES2_OUT_CHANNELS = 64
    model.RESNETS.OUT_FEATURES = ["res2"]
    model.RESNETS.NORM = "GN"
    model.ANCHOR_GENERATOR.SIZES = [[24, 36]]
    model.ANCHOR_GENERATOR.ASPECT_RATIOS = [[1.0]]
    model.RPN.IN_FEATURES = ["res2"]
    model.RPN.PRE_NMS_TOPK_TRAIN, model.RPN.POST_NMS_TOPK_TRAIN = 300, 60
    model.RPN.PRE_NMS_TOPK_TEST, model.RPN.POST_NMS_TOPK_TEST = 200, 30
    model.ROI_HEADS.NAME = "StandardROIHeads"
    model.ROI_HEADS.IN_FEATURES = ["res2"]
    model.ROI_HEADS.NUM_CLASSES = len(LABELS)
    model.ROI_HEADS.BATCH_SIZE_PER_IMAGE = 32
    model.ROI_BOX_HEAD.NAME = "FastRCNNConvFCHead"
    model.ROI_BOX_HEAD.NUM_FC = 1
    model.ROI_BOX_HEAD.FC_DIM = 64
    model.ROI_BOX_HEAD.POOLER_RESOLUTION = 4
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = HEIGHT, 160
    cfg.DATASETS.TEST = ()
    return cfg


def mask_rcnn():
    cfg = faster_rcnn()
    cfg.MODEL.MASK_ON = True
    cfg.MODEL.ROI_MASK_HEAD.NAME = "MaskRCNNConvUpsampleHead"
    cfg.MODEL.ROI_MASK_HEAD.NUM_CONV = 1
    cfg.MODEL.ROI_MASK_HEAD.CONV_DIM = 16
    cfg.MODEL.ROI_MASK_HEAD.POOLER_RESOLUTION = 7
    return cfg


def keypoint_rcnn():
    cfg = faster_rcnn()
    cfg.MODEL.KEYPOINT_ON = True
    cfg.MODEL.ROI_KEYPOINT_HEAD.NUM_KEYPOINTS = 5
    cfg.MODEL.ROI_KEYPOINT_HEAD.CONV_DIMS = (16,)
    cfg.MODEL.ROI_KEYPOINT_HEAD.POOLER_RESOLUTION = 7
    return cfg


def retinanet():
    cfg = faster_rcnn()
    cfg.MODEL.META_ARCHITECTURE = "RetinaNet"
    cfg.MODEL.RETINANET.IN_FEATURES = ["res2"]
    cfg.MODEL.RETINANET.NUM_CLASSES = len(LABELS)
    cfg.MODEL.RETINANET.NUM_CONVS = 1
    cfg.MODEL.RETINANET.PRIOR_PROB = 0.3
    cfg.MODEL.RETINANET.TOPK_CANDIDATES_TEST = 100
    return cfg


def untrained(cfg, seed=0):
    torch.manual_seed(seed)
    return build_model(cfg)


def train(cfg):
    """Train for some seconds on drawn shapes."""
    torch.set_num_threads(1)
    model = untrained(cfg)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    model.train()
    with EventStorage(0):
        for _ in range(_STEPS):
            loss = sum(model([_example(rng), _example(rng)]).values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


def _example(rng):
    image, boxes, classes = draw(rng)
    instances = Instances((HEIGHT, WIDTH))
    instances.gt_boxes = Boxes(torch.tensor(boxes, dtype=torch.float32))
    instances.gt_classes = torch.tensor(classes)
    tensor = torch.from_numpy(image.transpose(2, 0, 1).copy()).float()
    return {"image": tensor, "instances": instances, "height": HEIGHT, "width": WIDTH}


def save(folder: Path, name: str, cfg, model, floor=0.05, **fields) -> None:
    """A model file, its config and weights, as an operator would put them into the models folder."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.state_dict(), "iteration": 3}, folder / f"{name}.pth")
    (folder / f"{name}_config.yaml").write_text(cfg.dump())
    fields = {
        "family": "detectron2",
        "labels": "[circle, square]",
        "weights": f"{name}.pth",
        "config": f"{name}_config.yaml",
        "floor_confidence": floor,
        **fields,
    }
    lines = [f"name: own-{name}", *(f"{key}: {value}" for key, value in fields.items())]
    (folder / f"{name}.yaml").write_text("\n".join(lines))
