"""The trackers of the `trackers` library behind `AbstractTracker`."""

import math
import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.tracking.base import (
    NO_TRACK,
    AbstractTracker,
    Boxes,
    Confidences,
    TrackIds,
    TrackingParameters,
)

_BUFFER_RATE = 30.0


def lost_track_buffer(parameters: TrackingParameters) -> int:
    """The library's `lost_track_buffer`, which counts thirtieths of a second."""
    return math.ceil(parameters.patience_seconds * _BUFFER_RATE)


class _Rows:
    """What the library uses of `sv.Detections`, without the checks of each, which cost as much as tracking.

    Args:
        xyxy: Boxes.
        confidence: Of each.
        rows: Which of the detections given to `update` each one is.
    """

    __slots__ = ("confidence", "rows", "tracker_id", "xyxy")

    def __init__(self, xyxy: Boxes, confidence: Confidences, rows: NDArray[np.int64]) -> None:
        self.xyxy = xyxy
        self.confidence = confidence
        self.rows = rows
        self.tracker_id: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> "_Rows":
        return _Rows(self.xyxy[index], self.confidence[index], self.rows[index])


class LibraryTracker(AbstractTracker):
    """Drives a tracker of the library, by timestamps.

    Args:
        tracker: A `trackers.core.base.BaseTracker`.
        min_confidence: What a detection must reach to begin a track.
    """

    def __init__(self, tracker: Any, min_confidence: float) -> None:
        self._tracker = tracker
        self._min_confidence = min_confidence
        self._timestamp_seconds = -math.inf

    def update(self, boxes: Boxes, confidences: Confidences, timestamp_seconds: float) -> TrackIds:
        """As `AbstractTracker.update`; a frame at the time of the last one moves no track."""
        ids = np.full(len(boxes), NO_TRACK, dtype=np.int64)
        if not len(boxes) and not self.is_following:
            return ids  # no track to move, nothing to match: the library's update would do nothing either
        if self.is_idle and not (confidences >= self._min_confidence).any():
            return ids  # nothing that begins one
        rows = _Rows(boxes, confidences, np.arange(len(boxes)))
        is_repeated = timestamp_seconds == self._timestamp_seconds
        self._timestamp_seconds = timestamp_seconds
        with warnings.catch_warnings() if is_repeated else nullcontext():
            if is_repeated:
                warnings.filterwarnings("ignore", message=".*duplicate timestamp", category=UserWarning)
            tracked = self._tracker.update(rows, timestamp=timestamp_seconds)
        if len(tracked):
            ids[tracked.rows] = tracked.tracker_id
        return ids

    @property
    def is_following(self) -> bool:
        """Whether there is a track."""
        return bool(self._tracker.tracks)

    @property
    def is_idle(self) -> bool:
        """Whether there is none."""
        return not self._tracker.tracks

    def reset(self) -> None:
        """As `AbstractTracker.reset`."""
        self._tracker.reset()
        self._timestamp_seconds = -math.inf

    def live_ids(self) -> set[int]:
        """As `AbstractTracker.live_ids`."""
        return {int(track.tracker_id) for track in self._tracker.tracks if track.tracker_id != -1}
