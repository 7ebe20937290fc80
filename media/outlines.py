"""Outlines of masks."""

import cv2

from media.masks import MaskRuns

_FINER = 4
_TOLERANCE = 1.0
"""Pixels by which an outline may be off, to have fewer corners."""


def outline(mask: MaskRuns) -> list[tuple[float, float]]:
    """The corners of the outer edge of a mask's largest piece, in pixels; none if it has no pixels.

    Holes and smaller pieces are lost. It is off by a pixel at most.
    """
    left, top, pixels = mask.crop()
    if not pixels.size:
        return []
    # Contours go through the middle of pixels: at a finer scale that is nearer to their edge.
    fine = pixels.repeat(_FINER, axis=0).repeat(_FINER, axis=1)
    contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = cv2.approxPolyDP(max(contours, key=cv2.contourArea), _FINER * _TOLERANCE, closed=True)
    corners = (largest[:, 0] + 0.5) / _FINER + (left, top)
    return [(float(x), float(y)) for x, y in corners]
