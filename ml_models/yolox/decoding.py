"""What the raw output of a YOLOX network says."""

import numpy as np
from numpy.typing import NDArray

from ml_models.base import FloatArray

STRIDES = (8, 16, 32)


def decode(
    output: FloatArray, cells: FloatArray, strides: FloatArray, floor: float
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Boxes (n, 4) in pixels of the input, scores and class ids (n,), of what reaches the floor.

    An anchor's row holds centre and size in strides (the size as an exponent), the probability that there is
    a thing, and that of each class.

    Args:
        output: (anchors, 5 + classes).
        cells: Column and row of each anchor (anchors, 2), from `ml_models.anchors.anchor_cells`.
        strides: Of each anchor (anchors, 1).
        floor: The least score.
    """
    found = np.flatnonzero(output[:, 4] >= floor)  # a score is no higher than this factor of it
    rows = output[found]
    class_ids = rows[:, 5:].argmax(axis=1)
    scores = rows[:, 4] * np.take_along_axis(rows, class_ids[:, None] + 5, axis=1)[:, 0]
    reaches = scores >= floor
    found, rows, scores, class_ids = found[reaches], rows[reaches], scores[reaches], class_ids[reaches]
    steps = strides[found]
    centers = (rows[:, :2] + cells[found]) * steps
    halves = np.exp(rows[:, 2:4]) * steps / 2
    return np.concatenate((centers - halves, centers + halves), axis=1), scores, class_ids
