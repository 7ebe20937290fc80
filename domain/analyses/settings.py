"""What to analyse, and how."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from domain.analyses.models import Tracker
from domain.analyses.options import Counting, DetectionOptions, TrackingOptions
from domain.errors import InvalidError

MAX_FRAME_STRIDE = 10_000
FACE_LABEL = "face"
"""What becomes people."""


@dataclass(frozen=True)
class AnalysisSettings:
    """What to analyse and how. `labels` None means all; seconds are presentation times of the video."""

    ml_model: str
    tracker: Tracker = Tracker.BYTE_TRACK
    frame_stride: int = 1
    min_confidence: float = 0.5
    labels: tuple[str, ...] | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    create_people: bool = False
    recreate_people: bool = False
    overlay: bool = False
    crops: bool = False
    pictures: bool = False
    detection: DetectionOptions = field(default_factory=DetectionOptions)
    tracking: TrackingOptions = field(default_factory=TrackingOptions)
    counting: Counting = field(default_factory=Counting)

    def check(self, path: Sequence[str] = ()) -> None:
        """Raise InvalidError, naming the field below `path`, for values no video can be analysed with."""
        if not 1 <= self.frame_stride <= MAX_FRAME_STRIDE:
            raise InvalidError(
                f"frameStride must be from 1 to {MAX_FRAME_STRIDE}: 1 analyses every frame, 5 every fifth.",
                path=(*path, "frame_stride"),
            )
        if not 0 <= self.min_confidence <= 1:
            raise InvalidError("minConfidence must be from 0 to 1.", path=(*path, "min_confidence"))
        for name, shown, seconds in (
            ("start_seconds", "startSeconds", self.start_seconds),
            ("end_seconds", "endSeconds", self.end_seconds),
        ):
            if seconds is not None and not 0 <= seconds < float("inf"):
                raise InvalidError(f"{shown} must be 0 or more.", path=(*path, name))
        if self.end_seconds is not None and self.end_seconds <= (self.start_seconds or 0):
            raise InvalidError("endSeconds must be later than startSeconds.", path=(*path, "end_seconds"))
        if self.labels is not None and not self.labels:
            raise InvalidError("labels is empty: leave it out to get every label.", path=(*path, "labels"))
        self.detection.check(path)
        self.tracking.check((*path, "tracker_parameters"), self.min_confidence)
        self.counting.check(path)
        if self.tracker == Tracker.NONE and self.counting != Counting():
            raise InvalidError("Lines and zones count tracks: choose a tracker.", path=(*path, "tracker"))
        self._check_people(path)
        if self.tracker == Tracker.NONE and self.crops:
            raise InvalidError("crops are pictures of tracks: choose a tracker.", path=(*path, "crops"))

    def _check_people(self, path: Sequence[str]) -> None:
        if not self.create_people:
            if self.recreate_people:
                raise InvalidError(
                    "recreatePeople takes up faces again: choose createPeople as well.",
                    path=(*path, "recreate_people"),
                )
            return
        if self.tracker == Tracker.NONE:
            raise InvalidError("createPeople follows faces: choose a tracker.", path=(*path, "tracker"))
        if self.labels is not None and FACE_LABEL not in self.labels:
            raise InvalidError(
                f"createPeople needs faces: add {FACE_LABEL!r} to the labels, or leave them out.",
                path=(*path, "labels"),
            )

    def fingerprint(self, video_id: UUID, priority: int = 0) -> str:
        """Equal for equal requests: what an idempotency key is compared by."""
        return hashlib.sha256(orjson.dumps([str(video_id), asdict(self), priority])).hexdigest()


def read_settings(stored: dict[str, Any]) -> AnalysisSettings:
    """What `asdict` made of settings, and JSON of that, back again."""
    return TypeAdapter(AnalysisSettings).validate_python(stored)
