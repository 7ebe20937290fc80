"""Detections of a part of a frame as detections of the frame."""

import numpy as np
import supervision as sv

from ml_models.base import MASK_RUNS
from ml_models.looking.partners import POINTS, moved_masks


def moved(detections: sv.Detections, x: float, y: float) -> sv.Detections:
    """The same detections, their boxes, points and `MASK_RUNS` moved; dense masks are left out.

    Args:
        detections: In pixels of the part.
        x: Left edge of the part, a whole number if there are masks.
        y: Its top edge, likewise.
    """
    if not len(detections):
        return detections
    offset = np.array([x, y], dtype=np.float32)
    data = {
        name: np.asarray(values) + offset if name in POINTS else values
        for name, values in detections.data.items()
    }
    if MASK_RUNS in data:
        data[MASK_RUNS] = moved_masks(data[MASK_RUNS], np.tile([x, y], (len(detections), 1)))
    return sv.Detections(
        xyxy=detections.xyxy + np.tile(offset, 2),
        confidence=detections.confidence,
        class_id=detections.class_id,
        data=data,
    )
