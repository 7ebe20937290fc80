"""Telling frames in which nothing moves, without a model."""

import numpy as np
from numpy.typing import NDArray

from ml_models.looking.region import Region

LONGEST_SIDE = 96
"""Cells along the longer side of a frame; each is the mean brightness of its pixels."""
THRESHOLD_LEVELS = 6
"""A frame moves if a cell differs by so much, of 255. Noise and compression stay below it, averaged."""
MOST_STILL_FRAMES = 50
"""After so many still frames one counts as moving, whatever it shows."""


class MotionGate:
    """Says of each frame whether it shows what the last one that moved showed.

    The brightness of a frame is averaged in a grid of cells, 96 along its longer side. The frame is still if
    no cell, of those that touch the region, differs by 6 levels or more from the same cell of the last
    frame that was not still. So slow changes add up until they count. The first frame is never still.

    What is lost: what changes no cell by 6 levels, such as something much smaller than a cell, or as bright
    as what is behind it.

    Args:
        width: Of the frames, in pixels.
        height: Likewise.
        region: Where motion counts; None: everywhere.
    """

    def __init__(self, width: int, height: int, region: Region | None = None) -> None:
        longest = max(width, height)
        self.size = (
            max(1, min(width, round(width * LONGEST_SIDE / longest))),
            max(1, min(height, round(height * LONGEST_SIDE / longest))),
        )
        """Width and height of the grid: what `is_still` wants."""
        self._mask = None if region is None else region.mask(*self.size)
        self._last: NDArray[np.int16] | None = None
        self._still_frames = 0

    def is_still(self, luma: NDArray[np.uint8]) -> bool:
        """Whether the next frame, brightness (height, width) of the grid, shows nothing new."""
        cells = luma.astype(np.int16)
        if self._last is not None and self._still_frames < MOST_STILL_FRAMES:
            changes = np.abs(cells - self._last)
            if self._mask is not None:
                changes = changes[self._mask]
            if changes.max() < THRESHOLD_LEVELS:
                self._still_frames += 1
                return True
        self._last = cells
        self._still_frames = 0
        return False
