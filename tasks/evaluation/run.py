"""Running a model and a tracker over a labelled sequence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import supervision as sv

from ml_models.base import AbstractImageAnalysisMLModel
from ml_models.looking.between import SURE_SHARE
from ml_models.tracking.base import NO_TRACK, TrackingParameters
from ml_models.tracking.label_tracker import LabelTracker
from tasks.evaluation.frames import LookedAt, Looking, look_through
from tasks.evaluation.sequences import LabelledSequence
from tasks.evaluation.truth import Truth
from tasks.process.look import region_of

NO_TRACKER = "NONE"


@dataclass(frozen=True)
class RunOptions:
    """How sequences are analysed.

    Args:
        tracker: A name of `ml_models.tracking.factory.TRACKERS`.
        min_confidence: The threshold of the analysis; AP looks at less certain detections as well.
        labels: Leave out other labels; None: keep all.
        thread_count: Threads that decode.
        frame_stride: Look at every Nth frame; the others do not count.
        detection_options: Stored `DetectionOptions`; the precision is the model's.
    """

    tracker: str
    min_confidence: float
    labels: frozenset[str] | None = None
    thread_count: int = 1
    frame_stride: int = 1
    detection_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Found:
    """Everything that was found, detection by detection, in lists of equal length.

    `frame_count` is of the whole sequence; with `frame_stride` only every so many of its frames count.
    `frames_seen` says how many were decided upon, `frames_looked_at` at how many of these the model looked.
    `truth` is the ground truth that counts: of frames and the region that were looked at.
    `tracks` has `NO_TRACK` for what belongs to none or is below the threshold.
    """

    frame_count: int = 0
    frames: list[int] = field(default_factory=list)
    boxes: list[npt.NDArray[np.float64]] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    tracks: list[int] = field(default_factory=list)
    frames_seen: int = 0
    frames_looked_at: int = 0
    truth: Truth | None = None


def run_sequence(
    sequence: LabelledSequence,
    model: AbstractImageAnalysisMLModel,
    options: RunOptions,
    on_frame: Callable[[int, int], None] = lambda done, total: None,
) -> Found:
    """What the model and the tracker find, frame by frame from the first to the last that counts.

    Without a tracker only the frames that count are looked at, where each is looked at for itself.

    Args:
        sequence: A video or pictures.
        model: Loaded or not.
        options: See there.
        on_frame: Called with the frames done and their number.

    Raises:
        MediaError: The video cannot be read.
        GroundTruthError: A picture cannot.
    """
    truth = sequence.truth
    looking = Looking(
        options.detection_options,
        options.frame_stride,
        SURE_SHARE * model.spec.default_confidence,
        options.thread_count,
    )
    looked_at = look_through(
        sequence,
        lambda image: model.analyze([image])[0],
        looking,
        only=truth.annotated_frames if options.tracker == NO_TRACKER else None,
    )
    found = Found(looked_at.frame_count)
    parameters = TrackingParameters(
        min_confidence=options.min_confidence, frames_per_second=looked_at.frames_per_second
    )
    tracker = LabelTracker(options.tracker, parameters=parameters)
    last = _last_frame(truth, looked_at.frame_count, looked_at.frame_stride)
    for frame in looked_at.frames if last >= 0 else ():
        found.frames_seen += 1
        found.frames_looked_at += frame.is_looked_at
        _add(found, frame.frame_index, frame.timestamp_seconds, frame.detections, tracker, options.labels)
        on_frame(frame.frame_index + 1, last + 1)
        if frame.frame_index >= last:
            break
    found.truth = _in_region(
        truth.of_stride(looked_at.frame_stride, looked_at.frame_count), looked_at, options.detection_options
    )
    return found


def _in_region(truth: Truth, looked_at: LookedAt, detection_options: Mapping[str, Any]) -> Truth:
    """The ground truth without what is outside of the region: that does not count, whether found or not."""
    if detection_options.get("region") is None:
        return truth
    outside = np.zeros(len(truth.frames), dtype=bool)
    for frame in np.unique(truth.frames[truth.frames < looked_at.frame_count]):
        region = region_of(detection_options, *looked_at.size_of(int(frame)))
        rows = truth.frames == frame
        if region is not None:
            outside[rows] = ~region.has(truth.boxes[rows])
    return truth.ignoring(outside)


def _last_frame(truth: Truth, frame_count: int, frame_stride: int) -> int:
    """The last one that counts; negative if none does."""
    last = frame_count - 1 if truth.last_frame is None else min(truth.last_frame, frame_count - 1)
    return last - max(last, 0) % frame_stride


def _add(
    found: Found,
    index: int,
    seconds: float,
    detections: sv.Detections,
    tracker: LabelTracker,
    wanted: frozenset[str] | None,
) -> None:
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


def tracked_rows(found: Found) -> Sequence[int]:
    """Which of the detections belong to a track."""
    return [row for row, track in enumerate(found.tracks) if track != NO_TRACK]
