"""The trackers of the `trackers` library behind `AbstractTracker`."""

import math
import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.tracking.base import AbstractTracker, TrackIds, TrackingParameters

_BUFFER_RATE = 30.0
_MIN_BUFFER_FRAMES = 3


def lost_track_buffer(parameters: TrackingParameters) -> int:
    """The library's `lost_track_buffer`, which counts thirtieths of a second.

    It is as long as two missed frames at least, so that sparse frames (a large stride) can be tracked at all.
    """
    seconds = max(parameters.lost_track_seconds, _MIN_BUFFER_FRAMES / parameters.frames_per_second)
    return math.ceil(seconds * _BUFFER_RATE)


class _Rows:
    """What the library uses of `sv.Detections`, without the checks of each, which cost as much as tracking.

    Args:
        xyxy: Boxes.
        confidence: Of each.
        rows: Which of the detections given to `update` each one is.
    """

    __slots__ = ("confidence", "rows", "tracker_id", "xyxy")

    def __init__(self, xyxy: NDArray[Any], confidence: NDArray[Any] | None, rows: NDArray[Any]) -> None:
        self.xyxy = xyxy
        self.confidence = confidence
        self.rows = rows
        self.tracker_id: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> "_Rows":
        confidence = None if self.confidence is None else self.confidence[index]
        return _Rows(self.xyxy[index], confidence, self.rows[index])


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

    def update(self, detections: sv.Detections, timestamp_seconds: float) -> TrackIds:
        """As `AbstractTracker.update`; a frame at the time of the last one moves no track."""
        ids = np.full(len(detections), -1, dtype=np.int64)
        if not len(detections) and not self._tracker.tracks:
            return ids  # no track to move, nothing to match: the library's update would do nothing either
        if self.is_idle and not self._is_any_strong(detections):
            return ids  # nothing that begins one
        rows = _Rows(detections.xyxy, detections.confidence, np.arange(len(detections)))
        is_repeated = timestamp_seconds == self._timestamp_seconds
        self._timestamp_seconds = timestamp_seconds
        with warnings.catch_warnings() if is_repeated else nullcontext():
            if is_repeated:
                warnings.filterwarnings("ignore", message=".*duplicate timestamp", category=UserWarning)
            tracked = self._tracker.update(rows, timestamp=timestamp_seconds)
        if len(tracked):
            ids[tracked.rows] = tracked.tracker_id
        return ids

    def _is_any_strong(self, detections: sv.Detections) -> bool:
        confidence = detections.confidence
        return confidence is None or bool((confidence >= self._min_confidence).any())

    @property
    def is_idle(self) -> bool:
        """Whether there is no track."""
        return not self._tracker.tracks

    def reset(self) -> None:
        """As `AbstractTracker.reset`."""
        self._tracker.reset()
        self._timestamp_seconds = -math.inf

    def live_ids(self) -> set[int]:
        """As `AbstractTracker.live_ids`."""
        return {int(track.tracker_id) for track in self._tracker.tracks if track.tracker_id != -1}
