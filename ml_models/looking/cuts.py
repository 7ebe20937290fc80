"""Telling where one shot ends and another begins, without a model."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID = 64, 36
"""Width and height of the grid of cells in which the brightness of a frame is averaged."""
_COARSE = 2
"""Cells across and down whose mean is compared where the whole frame is."""
MOST_CORRELATION = 0.55
LEAST_CHANGE_LEVELS = 12.0
MOST_CORRELATION_AT_FACES = 0.65
LEAST_CONFIDENCE = 0.5
"""Of a face around which two frames are compared."""
_AROUND = 2.0
"""Width and height of what is compared, in those of the face."""
_FEWEST_CELLS = 3
LEAST_CHANGE_ELSEWHERE_LEVELS = 10.0
_FEWEST_CELLS_ELSEWHERE = 60

Luma = NDArray[np.uint8]
Boxes = NDArray[np.float64]


class CutFinder:
    """Says of each frame whether a cut lies between the frame before it and itself.

    There is one where their brightness, averaged in 32 by 18 cells, correlates by less than 0.55 and differs
    by 12 of 255 levels on average. In clips with known cuts the correlation was at most 0.5 at these, and
    at least 0.69 elsewhere, fast pans included. Where frames lie far apart in time, what moves much between
    two of them counts as a cut as well: there, nothing can be followed anyway.

    A cut between people in one room shows mostly where they are. So twice the size of each face is compared
    in the same way, in 64 by 36 cells: see `is_jump`.

    What is lost: fades, and cuts between pictures whose light and dark lie alike.

    Attributes:
        frame_indices: Of the frames after a cut of the whole picture.
        jumps: Of the frames before which a face's surroundings changed.
    """

    def __init__(self) -> None:
        self.frame_indices: list[int] = []
        self.jumps: list[int] = []
        self._first: Luma | None = None
        self._last: Luma | None = None
        self._waiting: dict[int, tuple[Luma, Luma]] = {}

    def add(self, frame_index: int, luma: Luma) -> None:
        """The next frame, brightness uint8 (36, 64)."""
        if self._last is None:
            self._first = luma
        else:
            self._waiting[frame_index] = self._last, luma
            if is_cut(self._last, luma):
                self.frame_indices.append(frame_index)
        self._last = luma

    def see(self, frame_index: int, faces: Boxes) -> None:
        """What was found in a frame that was added, in the frames' order; (n, 4) as `is_jump` takes it."""
        pair = self._waiting.pop(frame_index, None)
        if pair is not None and is_jump(*pair, faces):
            self.jumps.append(frame_index)

    @property
    def edges(self) -> tuple[Luma, Luma] | None:
        """The brightness of the first and of the last frame; None without any."""
        return None if self._first is None or self._last is None else (self._first, self._last)


def is_cut(before: Luma, after: Luma) -> bool:
    """Whether two frames that follow each other, brightness (36, 64), belong to different shots."""
    return _differ(_coarse(before), _coarse(after), MOST_CORRELATION)


def is_jump(before: Luma, after: Luma, faces: Boxes) -> bool:
    """Whether around one of the faces of `after` everything is new, and the rest of the picture changes too.

    That is so where the brightness of twice the face's size correlates by less than 0.65 and differs by 12
    levels on average, and beside and above the people it differs by 10. In clips joined of people in one room
    the correlation was at most 0.59 at the joints, and the difference 17 there and 15 to 25 elsewhere. Within
    shots of short_hamilton_clip.mp4, people who move fast and pans give correlations down to 0.1, but
    elsewhere 0.8 to 5.5 levels from frame to frame; in every second frame up to 9.1, and once 14.

    Who takes turns in front of a camera that stands still is not told apart: the rest does not change. Only
    the first of several jumps in a row is taken for a cut: who keeps moving would have no track at all.

    Args:
        before: Brightness (36, 64).
        after: That of the next frame.
        faces: (n, 4) of x1, y1, x2, y2 in shares of width and height.
    """
    height, width = after.shape
    elsewhere = np.ones(after.shape, bool)
    is_new = False
    for x1, y1, x2, y2 in faces.tolist():
        columns = _cells(x1, x2, width)
        rows = _cells(y1, y2, height)
        elsewhere[rows.start :, columns] = False
        one, other = before[rows, columns], after[rows, columns]
        is_new |= min(one.shape) >= _FEWEST_CELLS and _differ(
            one.astype(np.float64), other.astype(np.float64), MOST_CORRELATION_AT_FACES
        )
    if not is_new or elsewhere.sum() < _FEWEST_CELLS_ELSEWHERE:
        return is_new
    change = np.abs(before[elsewhere].astype(np.float64) - after[elsewhere])
    return bool(change.mean() >= LEAST_CHANGE_ELSEWHERE_LEVELS)


def sure_faces(boxes: NDArray[Any], confidences: NDArray[Any], width: int, height: int) -> Boxes:
    """Those to compare of these detections in pixels, (n, 4) and (n,), as `is_jump` takes them."""
    chosen = boxes.astype(np.float32)[confidences.astype(np.float32) >= LEAST_CONFIDENCE]
    return chosen.astype(np.float64) / np.array([width, height, width, height], np.float64)


def _cells(start: float, end: float, count: int) -> slice:
    middle, half = (start + end) / 2 * count, (end - start) / 2 * count * _AROUND
    return slice(max(0, math.floor(middle - half)), max(0, min(count, math.ceil(middle + half))))


def _coarse(luma: Luma) -> NDArray[np.float64]:
    height, width = luma.shape
    cells = luma.reshape(height // _COARSE, _COARSE, width // _COARSE, _COARSE)
    means: NDArray[np.float64] = cells.mean((1, 3), np.float64)
    return means


def _differ(one: NDArray[np.float64], other: NDArray[np.float64], most_correlation: float) -> bool:
    if np.abs(one - other).mean() < LEAST_CHANGE_LEVELS:
        return False
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return size == 0 or float((one * other).sum()) < most_correlation * size
