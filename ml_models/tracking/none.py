"""No tracking."""

import numpy as np
import supervision as sv

from ml_models.tracking.base import AbstractTracker, TrackIds, TrackingParameters


class NoTracker(AbstractTracker):
    """Gives no detection a track."""

    def __init__(self, parameters: TrackingParameters) -> None:
        pass

    def update(self, detections: sv.Detections, timestamp_seconds: float) -> TrackIds:
        """-1 for each."""
        return np.full(len(detections), -1, dtype=np.int64)

    @property
    def is_idle(self) -> bool:
        """Always."""
        return True

    def reset(self) -> None:
        """There is nothing to forget."""

    def live_ids(self) -> set[int]:
        """None."""
        return set()
