"""What a tracker is: boxes of one label in, frame after frame; one number for each thing out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.number[Any]]
"""Corners in pixels, (n, 4): xmin, ymin, xmax, ymax."""

Confidences = NDArray[np.number[Any]]
"""One in [0, 1] for each box, (n,)."""

NO_TRACK = -1

TrackIds = NDArray[np.int64]
"""One id for each detection; `NO_TRACK` for one that belongs to no confirmed track."""


@dataclass(frozen=True, kw_only=True)
class TrackingParameters:
    """What every tracker is set up with.

    Args:
        min_confidence: The threshold of the analysis. Only what reaches it begins a track; weaker detections
            keep one alive, except with `OC_SORT`.
        frames_per_second: How many frames a second the tracker gets to see: the video's average frame rate
            divided by the frame stride. Motion is expected in steps of this length.
        lost_track_seconds: How long a track waits for its thing to appear again. Longer bridges longer
            occlusions, but may give the number to another thing that comes to the same place.
        min_iou: How much the expected and the detected box must overlap to be taken for one thing. Higher
            breaks the tracks of fast things, lower joins neighbours. None: the tracker's own.
        min_consecutive_frames: In how many frames in a row a thing must be seen before it is given a number.
            Higher keeps flickering mistakes from becoming tracks, and leaves more first frames unnumbered.
    """

    min_confidence: float
    frames_per_second: float = 30.0
    lost_track_seconds: float = 1.0
    min_iou: float | None = None
    min_consecutive_frames: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise ValueError("min_confidence must lie between 0 and 1")
        if not 0 < self.frames_per_second < float("inf"):
            raise ValueError("frames_per_second must be positive")
        if not 0 <= self.lost_track_seconds < float("inf"):
            raise ValueError("lost_track_seconds must not be negative")
        if self.min_iou is not None and not 0 < self.min_iou < 1:
            raise ValueError("min_iou must lie between 0 and 1")
        if self.min_consecutive_frames < 1:
            raise ValueError("min_consecutive_frames must be at least 1")


class AbstractTracker(ABC):
    """Tracks the things of one label. Its whole state must survive `pickle`."""

    @abstractmethod
    def update(self, boxes: Boxes, confidences: Confidences, timestamp_seconds: float) -> TrackIds:
        """The track ids of one frame's detections, of which there may be none, in their order.

        Args:
            boxes: Where they are.
            confidences: Of each.
            timestamp_seconds: Of the frame; must not go back.
        """

    @property
    def is_following(self) -> bool:
        """Whether a frame without any detection could change something."""
        return True

    @property
    def is_idle(self) -> bool:
        """Whether a frame without a detection that reaches the threshold would change nothing."""
        return False

    @abstractmethod
    def reset(self) -> None:
        """Forget all tracks, and number from the start."""

    @abstractmethod
    def live_ids(self) -> set[int]:
        """The ids that a later frame may still be given, of those given so far."""
