"""Detections of a part of a frame as detections of the frame."""

import numpy as np
import supervision as sv

from ml_models.looking.partners import POINTS


def moved(detections: sv.Detections, x: float, y: float) -> sv.Detections:
    """The same detections, their boxes and points moved; masks, which no result keeps, are left out."""
    if not len(detections):
        return detections
    offset = np.array([x, y], dtype=np.float32)
    data = {
        name: np.asarray(values) + offset if name in POINTS else values
        for name, values in detections.data.items()
    }
    return sv.Detections(
        xyxy=detections.xyxy + np.tile(offset, 2),
        confidence=detections.confidence,
        class_id=detections.class_id,
        data=data,
    )
