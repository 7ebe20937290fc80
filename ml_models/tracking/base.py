"""What a tracker is: boxes of one label in, frame after frame; one number for each thing out."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
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


_MIN_PATIENCE_FRAMES = 3

_RULES: tuple[tuple[tuple[str, ...], Callable[[float], bool], str], ...] = (
    (("lost_track_seconds", "direction_weight"), lambda value: 0 <= value < math.inf, "not be negative"),
    (
        ("min_confidence", "activation_confidence", "high_confidence"),
        lambda value: 0 <= value <= 1,
        "lie between 0 and 1",
    ),
    (("min_iou", "weak_min_iou"), lambda value: 0 < value < 1, "lie between 0 and 1"),
    (("min_consecutive_frames", "direction_frames"), lambda value: value >= 1, "be at least 1"),
)
"""Names of parameters, what holds for each unless it is None, and how that is said."""


@dataclass(frozen=True, kw_only=True)
class TrackingParameters:
    """What trackers are set up with; `ml_models.tracking.factory.TRACKER_PARAMETERS` says which takes what.

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
        activation_confidence: How certain a detection must be to begin a track; less certain ones only go on
            with one. Higher leaves out tracks of doubtful things. None: `min_confidence`.
        high_confidence: Detections at least so certain are matched before the others; `OC_SORT` sees no
            others. Higher gives doubtful boxes less say about where tracks go. None: `min_confidence`.
        weak_min_iou: As `min_iou`, for detections below `high_confidence`. Lower keeps more tracks alive
            through occlusions. None: the tracker's own.
        direction_weight: How much it counts that a detection lies where the track was heading. 0 goes by
            overlap alone. Higher keeps apart what crosses, and loses what turns. None: the tracker's own.
        direction_frames: Over how many frames that heading is measured. Higher is steadier where boxes
            tremble, and later to see a turn. None: the tracker's own.
    """

    min_confidence: float
    frames_per_second: float = 30.0
    lost_track_seconds: float = 1.0
    min_iou: float | None = None
    min_consecutive_frames: int = 2
    activation_confidence: float | None = None
    high_confidence: float | None = None
    weak_min_iou: float | None = None
    direction_weight: float | None = None
    direction_frames: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.frames_per_second < math.inf:
            raise ValueError("frames_per_second must be positive")
        for names, is_good, words in _RULES:
            for name in names:
                value = getattr(self, name)
                if value is not None and not is_good(value):
                    raise ValueError(f"{name} must {words}")
        for name in ("activation_confidence", "high_confidence"):
            value = getattr(self, name)
            if value is not None and value < self.min_confidence:
                raise ValueError(f"{name} must not be below min_confidence")

    @property
    def patience_seconds(self) -> float:
        """How long a track waits: two missed frames at least, so that sparse frames make tracks at all."""
        return max(self.lost_track_seconds, _MIN_PATIENCE_FRAMES / self.frames_per_second)

    @property
    def to_activate(self) -> float:
        """The confidence that begins a track."""
        return self.min_confidence if self.activation_confidence is None else self.activation_confidence

    @property
    def to_be_strong(self) -> float:
        """The confidence that is matched first."""
        return self.min_confidence if self.high_confidence is None else self.high_confidence


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
