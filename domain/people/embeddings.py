"""Embeddings as rows of the register hold them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def joined_embeddings(stored: Sequence[bytes]) -> NDArray[np.float32]:
    """The embeddings (n, d) of n rows, which have the same length; read-only."""
    if not stored:
        return np.empty((0, 0), np.float32)
    return np.frombuffer(b"".join(stored), "<f4").reshape(len(stored), -1)
