"""Where the rows of an anchor-free detector's output lie in its input."""

from collections.abc import Sequence

import numpy as np

from ml_models.base import FloatArray


def anchor_cells(width: int, height: int, strides: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Column and row (n, 2), and stride (n, 1), of each anchor: stride by stride, row by row."""
    cells, sizes = [], []
    for stride in strides:
        rows, columns = np.indices((height // stride, width // stride), dtype=np.float32)
        cells.append(np.stack((columns.ravel(), rows.ravel()), axis=1))
        sizes.append(np.full((rows.size, 1), stride, dtype=np.float32))
    return np.concatenate(cells), np.concatenate(sizes)
