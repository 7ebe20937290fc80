"""Tracking of all labels of a video; it can stop after any frame and go on in another process."""

import math
import pickle
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Self

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.errors import TrackerStateError
from ml_models.tracking.base import AbstractTracker, TrackIds, TrackingParameters
from ml_models.tracking.factory import DEFAULT_TRACKER, create_tracker

_FORMAT = 1


@lru_cache(maxsize=1)
def _library_version() -> str:
    return version("trackers")


_NO_DETECTIONS = sv.Detections(
    xyxy=np.empty((0, 4), dtype=np.float32),
    confidence=np.empty(0, dtype=np.float32),
    data={"class_name": np.empty(0, dtype=str)},
)


class LabelTracker:
    """Gives each detection of a video the number of its track.

    A thing of one label never continues the track of another label. Numbers count from 1, in the order in
    which tracks are confirmed and, within a frame, in the order of its detections.

    Args:
        tracker: A name of `TRACKERS`.
        parameters: For the tracker of each label.

    Raises:
        UnknownTrackerError: No tracker has this name.
    """

    def __init__(self, tracker: str = DEFAULT_TRACKER, *, parameters: TrackingParameters) -> None:
        create_tracker(tracker, parameters)
        self._tracker = tracker
        self._parameters = parameters
        self._trackers: dict[str, AbstractTracker] = {}
        self._numbers: dict[tuple[str, int], int] = {}
        self._count = 0
        self._timestamp_seconds = -math.inf

    def update(self, detections: sv.Detections, timestamp_seconds: float) -> TrackIds:
        """The track numbers of one frame's detections, in their order; -1 for those without.

        Call it for every analysed frame, in order, also for those without detections, and give it every
        detection that the model returned: those below the threshold of the analysis keep tracks alive,
        and get no number.

        Args:
            detections: With boxes, confidence and ``data["class_name"]``.
            timestamp_seconds: Of the frame.

        Raises:
            ValueError: The time is before that of the last frame, or no number, or there is no confidence.
        """
        if not len(detections):
            detections = _NO_DETECTIONS
        if detections.confidence is None:
            raise ValueError("detections without confidence cannot be tracked")
        labels = np.asarray(detections.data["class_name"])
        return self.update_boxes(detections.xyxy, detections.confidence, labels, timestamp_seconds)

    def update_boxes(
        self,
        boxes: NDArray[Any],
        confidence: NDArray[Any],
        labels: NDArray[Any],
        timestamp_seconds: float,
    ) -> TrackIds:
        """As `update`, for those who have arrays: boxes (n, 4), confidence (n,), labels (n,)."""
        if not self._timestamp_seconds <= timestamp_seconds < math.inf:
            raise ValueError(f"frame at {timestamp_seconds} s after one at {self._timestamp_seconds} s")
        self._timestamp_seconds = timestamp_seconds
        ids = np.full(len(boxes), -1, dtype=np.int64)
        is_strong = confidence >= self._parameters.min_confidence
        present, strong = set(labels.tolist()), set(labels[is_strong].tolist())
        for label in sorted(present - self._trackers.keys()):
            self._trackers[label] = create_tracker(self._tracker, self._parameters)
        for label, tracker in self._trackers.items():
            if label not in strong and tracker.is_idle:
                continue
            if label in present:
                members = np.flatnonzero(labels == label)
                of_label = sv.Detections(xyxy=boxes[members], confidence=confidence[members])
                ids[members] = tracker.update(of_label, timestamp_seconds)
            else:
                tracker.update(_NO_DETECTIONS, timestamp_seconds)
        if not strong:
            return np.full(len(boxes), -1, dtype=np.int64)
        ids[~is_strong] = -1
        return self._numbered(labels, ids)

    def to_bytes(self) -> bytes:
        """The whole state: `from_bytes` goes on from it exactly as this object would.

        It is a pickle, for speed and exactness. Read it only where it was written by ourselves, and only
        in a process that holds nothing of value.
        """
        live = {(label, number) for label, tracker in self._trackers.items() for number in tracker.live_ids()}
        self._numbers = {key: number for key, number in self._numbers.items() if key in live}
        return pickle.dumps((_FORMAT, _library_version(), self.__dict__), protocol=pickle.HIGHEST_PROTOCOL)

    @classmethod
    def from_bytes(cls, state: bytes) -> Self:
        """The tracker that wrote `state`.

        Raises:
            TrackerStateError: Another version wrote it; track again from the first frame.
        """
        written_as, library, attributes = pickle.loads(state)  # noqa: S301 - see to_bytes
        if (written_as, library) != (_FORMAT, _library_version()):
            raise TrackerStateError(
                f"tracks were stored by format {written_as} with trackers {library}; "
                f"this is format {_FORMAT} with trackers {_library_version()}: track again from the start"
            )
        tracker = cls.__new__(cls)
        tracker.__dict__.update(attributes)
        return tracker

    def _numbered(self, labels: NDArray[Any], ids: TrackIds) -> TrackIds:
        """Each label's own ids, as numbers that count through all labels."""
        numbers = ids.copy()
        for position in np.flatnonzero(ids >= 0):
            key = (str(labels[position]), int(ids[position]))
            if key not in self._numbers:
                self._count += 1
                self._numbers[key] = self._count
            numbers[position] = self._numbers[key]
        return numbers
