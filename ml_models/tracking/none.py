"""No tracking."""

import numpy as np

from ml_models.tracking.base import (
    NO_TRACK,
    AbstractTracker,
    Boxes,
    Confidences,
    TrackIds,
    TrackingParameters,
)


class NoTracker(AbstractTracker):
    """Gives no detection a track."""

    def __init__(self, parameters: TrackingParameters) -> None:
        pass

    def update(self, boxes: Boxes, confidences: Confidences, timestamp_seconds: float) -> TrackIds:
        """`NO_TRACK` for each."""
        return np.full(len(boxes), NO_TRACK, dtype=np.int64)

    @property
    def is_following(self) -> bool:
        """Never."""
        return False

    @property
    def is_idle(self) -> bool:
        """Always."""
        return True

    def reset(self) -> None:
        """There is nothing to forget."""

    def live_ids(self) -> set[int]:
        """None."""
        return set()
