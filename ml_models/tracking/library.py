"""The trackers of the `trackers` library behind `AbstractTracker`."""

import math
import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
import supervision as sv

from ml_models.tracking.base import AbstractTracker, TrackIds, TrackingParameters

_BUFFER_RATE = 30.0
_MIN_BUFFER_FRAMES = 3


def lost_track_buffer(parameters: TrackingParameters) -> int:
    """The library's `lost_track_buffer`, which counts thirtieths of a second.

    It is as long as two missed frames at least, so that sparse frames (a large stride) can be tracked at all.
    """
    seconds = max(parameters.lost_track_seconds, _MIN_BUFFER_FRAMES / parameters.frames_per_second)
    return math.ceil(seconds * _BUFFER_RATE)


class LibraryTracker(AbstractTracker):
    """Drives a tracker of the library, by timestamps.

    Args:
        tracker: A `trackers.core.base.BaseTracker`.
    """

    def __init__(self, tracker: Any) -> None:
        self._tracker = tracker
        self._timestamp_seconds = -math.inf

    def update(self, detections: sv.Detections, timestamp_seconds: float) -> TrackIds:
        """As `AbstractTracker.update`; a frame at the time of the last one moves no track."""
        ids = np.full(len(detections), -1, dtype=np.int64)
        if not len(detections) and not self._tracker.tracks:
            return ids  # no track to move, nothing to match: the library's update would do nothing either
        indexed = sv.Detections(
            xyxy=detections.xyxy,
            confidence=detections.confidence,
            data={"index": np.arange(len(detections))},
        )
        is_repeated = timestamp_seconds == self._timestamp_seconds
        self._timestamp_seconds = timestamp_seconds
        with warnings.catch_warnings() if is_repeated else nullcontext():
            if is_repeated:
                warnings.filterwarnings("ignore", message=".*duplicate timestamp", category=UserWarning)
            tracked = self._tracker.update(indexed, timestamp=timestamp_seconds)
        if len(tracked):
            ids[tracked.data["index"]] = tracked.tracker_id
        return ids

    def reset(self) -> None:
        """As `AbstractTracker.reset`."""
        self._tracker.reset()
        self._timestamp_seconds = -math.inf

    def live_ids(self) -> set[int]:
        """As `AbstractTracker.live_ids`."""
        return {int(track.tracker_id) for track in self._tracker.tracks if track.tracker_id != -1}
