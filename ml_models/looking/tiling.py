"""Looking at a frame in tiles, for things too small for the model in the frame as a whole."""

from collections.abc import Callable
from typing import cast

import numpy as np
import supervision as sv
from supervision.detection.utils.iou_and_nms import OverlapFilter, OverlapMetric

from ml_models.base import MASK_RUNS, Frame
from ml_models.looking.partners import POINTS, moved_masks

MAX_OVERLAP = 0.7
"""Of the smaller of two boxes of one label: what overlaps more is one thing, which a tile's edge cut."""

_CORNER = "corner_in_tile"


class Tiles:
    """Looks at a frame as a whole, then in tiles, and puts the detections together.

    Tiles are cut by supervision's `InferenceSlicer`, one after the other on one thread. Of two detections
    of one label that overlap by more than 0.7 of the smaller one, the surer stays. The whole frame is looked
    at as well, so that what is larger than a tile is not lost.

    Args:
        look: Detects in an image of any size.
        tile_pixels: Width and height of a tile; the last of a row or column may be smaller.
        overlap: How much of a tile the next one covers again, from 0 to 0.5.
    """

    def __init__(self, look: Callable[[Frame], sv.Detections], tile_pixels: int, overlap: float) -> None:
        self._look = look
        self._tile_pixels = tile_pixels
        self._slicer = sv.InferenceSlicer(
            callback=self._look_at_tile,
            slice_wh=tile_pixels,
            overlap_wh=int(tile_pixels * overlap),
            overlap_filter=OverlapFilter.NONE,
            thread_workers=1,
        )

    def __call__(self, frame: Frame) -> sv.Detections:
        """What is in the frame, surest first."""
        whole = self._look(frame)
        if max(frame.shape[:2]) <= self._tile_pixels:
            return whole
        tiled = _absolute(self._slicer(frame))
        found = [part for part in (whole, tiled) if len(part)]
        if not found:
            return whole
        merged = sv.Detections.merge([_plain(part) for part in found])
        kept = merged.with_nms(threshold=MAX_OVERLAP, overlap_metric=OverlapMetric.IOS)
        boxes, confidence = kept.xyxy, np.asarray(kept.confidence)
        order = np.lexsort((boxes[:, 3], boxes[:, 2], boxes[:, 1], boxes[:, 0], -confidence))
        return cast(sv.Detections, kept[order])

    def _look_at_tile(self, tile: Frame) -> sv.Detections:
        return _relative(self._look(np.ascontiguousarray(tile)))


def _plain(detections: sv.Detections) -> sv.Detections:
    return sv.Detections(
        xyxy=detections.xyxy,
        confidence=detections.confidence,
        class_id=detections.class_id,
        data=detections.data,
    )


def _relative(detections: sv.Detections) -> sv.Detections:
    """Points seen from their box, since the slicer moves boxes but not points.

    The corner in the tile tells how far masks must be moved, which are in whole pixels.
    """
    shifted = _shifted(_plain(detections), -1)
    if MASK_RUNS in shifted.data and len(shifted):
        shifted.data[_CORNER] = shifted.xyxy[:, :2].copy()
    return shifted


def _absolute(detections: sv.Detections) -> sv.Detections:
    shifted = _shifted(detections, 1)
    corner = shifted.data.pop(_CORNER, None)
    if corner is not None:
        offsets = shifted.xyxy[:, :2] - np.asarray(corner)
        shifted.data[MASK_RUNS] = moved_masks(shifted.data[MASK_RUNS], offsets)
    return shifted


def _shifted(detections: sv.Detections, direction: int) -> sv.Detections:
    for name in POINTS:
        if name in detections.data and len(detections):
            corners = detections.xyxy[:, None, :2] * direction
            detections.data[name] = (np.asarray(detections.data[name]) + corners).astype(np.float32)
    return detections
