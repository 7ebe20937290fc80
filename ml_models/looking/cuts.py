"""Telling where one shot ends and another begins, without a model."""

import numpy as np
from numpy.typing import NDArray

GRID = 32, 18
"""Width and height of the grid of cells in which the brightness of a frame is averaged."""
MOST_CORRELATION = 0.55
LEAST_CHANGE_LEVELS = 12.0

Luma = NDArray[np.uint8]


class CutFinder:
    """Says of each frame whether a cut lies between the frame before it and itself.

    There is one where their brightness, averaged in 32 by 18 cells, correlates by less than 0.55 and differs
    by 12 of 255 levels on average. In clips with known cuts the correlation was at most 0.5 at these, and
    at least 0.69 elsewhere, fast pans included. Where frames lie far apart in time, what moves much between
    two of them counts as a cut as well: there, nothing can be followed anyway.

    What is lost: fades, and cuts between pictures whose light and dark lie alike.

    Attributes:
        frame_indices: Of the frames after a cut.
    """

    def __init__(self) -> None:
        self.frame_indices: list[int] = []
        self._first: Luma | None = None
        self._last: Luma | None = None

    def add(self, frame_index: int, luma: Luma) -> None:
        """The next frame, brightness uint8 (18, 32)."""
        if self._last is None:
            self._first = luma
        elif is_cut(self._last, luma):
            self.frame_indices.append(frame_index)
        self._last = luma

    @property
    def edges(self) -> tuple[Luma, Luma] | None:
        """The brightness of the first and of the last frame; None without any."""
        return None if self._first is None or self._last is None else (self._first, self._last)


def is_cut(before: Luma, after: Luma) -> bool:
    """Whether two frames that follow each other, brightness (h, w), belong to different shots."""
    one, other = before.astype(np.float64), after.astype(np.float64)
    if np.abs(one - other).mean() < LEAST_CHANGE_LEVELS:
        return False
    one -= one.mean()
    other -= other.mean()
    size = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return size == 0 or float((one * other).sum()) < MOST_CORRELATION * size
