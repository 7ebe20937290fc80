"""Running a model and a tracker over a labelled sequence."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from media.frames import read_frames
from media.segments import plan_segments
from media.timeline import scan_timeline
from ml_models.base import AbstractImageAnalysisMLModel
from ml_models.tracking.base import NO_TRACK, TrackingParameters
from ml_models.tracking.label_tracker import LabelTracker
from tasks.evaluation.errors import GroundTruthError
from tasks.evaluation.sequences import LabelledSequence, Pictures

_Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class RunOptions:
    """How sequences are analysed.

    Args:
        tracker: A name of `ml_models.tracking.factory.TRACKERS`.
        min_confidence: The threshold of the analysis; AP looks at less certain detections as well.
        labels: Leave out other labels; None: keep all.
        thread_count: Threads that decode.
    """

    tracker: str
    min_confidence: float
    labels: frozenset[str] | None = None
    thread_count: int = 1


@dataclass
class Found:
    """Everything that was found, detection by detection, in lists of equal length.

    `frame_count` is of the whole sequence. `tracks` has `NO_TRACK` for what belongs to none or is below the
    threshold.
    """

    frame_count: int = 0
    frames: list[int] = field(default_factory=list)
    boxes: list[npt.NDArray[np.float64]] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    tracks: list[int] = field(default_factory=list)


def run_sequence(
    sequence: LabelledSequence,
    model: AbstractImageAnalysisMLModel,
    options: RunOptions,
    on_frame: Callable[[int, int], None] = lambda done, total: None,
) -> Found:
    """What the model and the tracker find, frame by frame from the first to the last that counts.

    Args:
        sequence: A video or pictures.
        model: Loaded or not.
        options: See there.
        on_frame: Called with the frames done and their number.

    Raises:
        MediaError: The video cannot be read.
        GroundTruthError: A picture cannot.
    """
    frame_count, rate, frames = _frames(sequence.source, options.thread_count)
    parameters = TrackingParameters(min_confidence=options.min_confidence, frames_per_second=rate)
    tracker = LabelTracker(options.tracker, parameters=parameters)
    found = Found(frame_count)
    last = sequence.truth.last_frame
    last = frame_count - 1 if last is None else min(last, frame_count - 1)
    for number, (index, seconds, image) in enumerate(islice(frames, last + 1), 1):
        _look(found, index, seconds, image, model, tracker, options.labels)
        on_frame(number, last + 1)
    return found


def _look(
    found: Found,
    index: int,
    seconds: float,
    image: _Image,
    model: AbstractImageAnalysisMLModel,
    tracker: LabelTracker,
    wanted: frozenset[str] | None,
) -> None:
    detections = model.analyze([image])[0]
    labels = np.array([str(name) for name in detections.data.get("class_name", ())], dtype=object)
    confidences = detections.confidence
    if confidences is None:
        confidences = np.ones(len(detections), dtype=np.float32)
    boxes: npt.NDArray[Any] = detections.xyxy
    if wanted is not None:
        kept = np.array([label in wanted for label in labels], dtype=bool)
        boxes, confidences, labels = boxes[kept], confidences[kept], labels[kept]
    # As an analysis does, which stores single precision.
    boxes, confidences = boxes.astype(np.float32), confidences.astype(np.float32)
    ids = tracker.update_boxes(boxes, confidences, labels, seconds)
    found.frames += [index] * len(boxes)
    found.boxes += list(boxes.astype(np.float64))
    found.confidences += confidences.tolist()
    found.labels += labels.tolist()
    found.tracks += [int(number) for number in ids]


def _frames(
    source: Path | Pictures, thread_count: int
) -> tuple[int, float, Iterator[tuple[int, float, _Image]]]:
    """How many frames, how many a second, and each with its index and time."""
    if isinstance(source, Pictures):
        return len(source.paths), source.frames_per_second, _pictures(source)
    timeline = scan_timeline(source, thread_count=thread_count)
    seconds = timeline.duration_seconds
    rate = timeline.frame_count / seconds if seconds > 0 else 30.0
    plans = plan_segments(timeline, target_seconds=float("inf"))

    def decoded() -> Iterator[tuple[int, float, _Image]]:
        for plan in plans:
            time_base = Fraction(timeline.time_base)
            for frame in read_frames(source, plan, time_base, thread_count=thread_count):
                yield frame.index, frame.timestamp_seconds, frame.image

    return timeline.frame_count, rate, decoded()


def _pictures(source: Pictures) -> Iterator[tuple[int, float, _Image]]:
    for index, path in enumerate(source.paths):
        image = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise GroundTruthError(f"{path} is no picture that can be read.")
        yield index, index / source.frames_per_second, image.astype(np.uint8, copy=False)


def tracked_rows(found: Found) -> Sequence[int]:
    """Which of the detections belong to a track."""
    return [row for row, track in enumerate(found.tracks) if track != NO_TRACK]
