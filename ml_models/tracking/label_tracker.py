"""Tracking of all labels of a video; it can stop after any frame and go on in another process."""

import math
import pickle
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Self, cast

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.errors import TrackerStateError
from ml_models.tracking.base import (
    NO_TRACK,
    AbstractTracker,
    Boxes,
    Confidences,
    TrackIds,
    TrackingParameters,
)
from ml_models.tracking.factory import DEFAULT_TRACKER, create_tracker

_FORMAT = 2


@lru_cache(maxsize=1)
def _library_version() -> str:
    return version("trackers")


_NO_BOXES = np.empty((0, 4), dtype=np.float32)
_NO_CONFIDENCES = np.empty(0, dtype=np.float32)


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
        self._following: dict[str, None] = {}
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
            return self.update_boxes(_NO_BOXES, _NO_CONFIDENCES, np.empty(0, dtype=object), timestamp_seconds)
        if detections.confidence is None:
            raise ValueError("detections without confidence cannot be tracked")
        labels = np.asarray(detections.data["class_name"])
        return self.update_boxes(detections.xyxy, detections.confidence, labels, timestamp_seconds)

    def update_boxes(
        self,
        boxes: Boxes,
        confidences: Confidences,
        labels: NDArray[Any],
        timestamp_seconds: float,
    ) -> TrackIds:
        """As `update`, for those who have arrays: labels are strings, (n,)."""
        if not self._timestamp_seconds <= timestamp_seconds < math.inf:
            raise ValueError(f"frame at {timestamp_seconds} s after one at {self._timestamp_seconds} s")
        self._timestamp_seconds = timestamp_seconds
        is_strong = (confidences >= self._parameters.min_confidence).tolist()
        names = labels.tolist()
        present: dict[str, list[int]] = {}
        for row, label in enumerate(names):
            present.setdefault(label, []).append(row)
        strong = {label for label, is_one in zip(names, is_strong, strict=True) if is_one}
        for label in [label for label in self._following if label not in present]:
            self._update(label, _NO_BOXES, _NO_CONFIDENCES, timestamp_seconds)
        numbers = [NO_TRACK] * len(names)
        for label, rows in present.items():
            if label not in self._trackers:
                self._trackers[label] = create_tracker(self._tracker, self._parameters)
            if label not in strong and self._trackers[label].is_idle:
                continue
            ids = self._update(label, boxes[rows], confidences[rows], timestamp_seconds)
            for row, track_id in zip(rows, ids, strict=True):
                numbers[row] = track_id if is_strong[row] else NO_TRACK
        for row, track_id in enumerate(numbers):
            if track_id != NO_TRACK:
                numbers[row] = self._number(names[row], track_id)
        return np.array(numbers, dtype=np.int64)

    def _update(
        self, label: str, boxes: Boxes, confidences: Confidences, timestamp_seconds: float
    ) -> list[int]:
        tracker = self._trackers[label]
        ids = tracker.update(boxes, confidences, timestamp_seconds)
        if tracker.is_following:
            self._following[label] = None
        else:
            self._following.pop(label, None)
        return cast("list[int]", ids.tolist())

    def cut(self) -> None:
        """Another shot begins with the next frame: no track goes on, whatever lies in its place."""
        self._trackers.clear()
        self._following.clear()
        self._numbers.clear()

    def live_numbers(self) -> set[int]:
        """The numbers that a later frame may still be given, of those given so far."""
        return set(self._live().values())

    def _live(self) -> dict[tuple[str, int], int]:
        live = {(label, number) for label, tracker in self._trackers.items() for number in tracker.live_ids()}
        return {key: number for key, number in self._numbers.items() if key in live}

    def to_bytes(self) -> bytes:
        """The whole state: `from_bytes` goes on from it exactly as this object would.

        It is a pickle, for speed and exactness. Read it only where it was written by ourselves, and only
        in a process that holds nothing of value.
        """
        self._numbers = self._live()
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

    def _number(self, label: str, track_id: int) -> int:
        """The number of a track of a label, counted through all labels."""
        number = self._numbers.get((label, track_id))
        if number is None:
            self._count += 1
            number = self._numbers[label, track_id] = self._count
        return number
