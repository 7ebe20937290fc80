"""AP, MOTA, IDF1 and HOTA of what was found.

AP is COCO's, by supervision. MOTA, IDF1 and HOTA are by trackers, whose evaluation follows TrackEval's; it is
given files in the form of the MOT Challenge, as anybody else would.
"""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import supervision as sv
from supervision.metrics import MeanAveragePrecision
from trackers.eval import (
    CLEARMetrics,
    HOTAMetrics,
    IdentityMetrics,
    aggregate_clear_metrics,
    aggregate_hota_metrics,
    aggregate_identity_metrics,
    evaluate_mot_sequence,
)

from tasks.evaluation.errors import EvaluationError
from tasks.evaluation.hits import Hits, count_hits
from tasks.evaluation.run import Found, tracked_rows
from tasks.evaluation.truth import ONE_CLASS, Truth

_METRICS = ["CLEAR", "HOTA", "Identity"]
_SCORED_CLASS = 1
_DISTRACTOR = 8
_UNSCORED_CLASS = 6
"""A class of MOT that is neither to be found nor a distractor."""


@dataclass(frozen=True)
class Scores:
    """Each from 0 to 1, MOTA also below; None where the ground truth does not tell.

    Args:
        ap: COCO's AP, the mean over IoU 0.50 to 0.95, and over labels.
        ap50: AP at IoU 0.50.
        mota: Multiple object tracking accuracy.
        idf1: F1 of the identities.
        hota: Higher order tracking accuracy.
        id_switches: How often a thing changed its number.
        truth_boxes: What is to be found.
        truth_tracks: How many things that are.
        recall: The share of the boxes that was found, at the threshold, with an IoU of 0.50.
        precision: The share of what was found that is right, likewise.
    """

    ap: float | None
    ap50: float | None
    mota: float | None
    idf1: float | None
    hota: float | None
    id_switches: int | None
    truth_boxes: int
    truth_tracks: int | None
    recall: float | None
    precision: float | None


@dataclass(frozen=True)
class TrackScores:
    """Of one label of one sequence, in a form that those of others can be added to."""

    clear: CLEARMetrics
    identity: IdentityMetrics
    hota: HOTAMetrics


@dataclass(frozen=True)
class Judged:
    """A sequence and all that its scores, and those of several together, are made of."""

    name: str
    frame_count: int
    """How many count."""
    labels: tuple[str, ...]
    """That are to be found anywhere: their order gives the classes."""
    truth: Truth
    found: Found
    tracking: tuple[TrackScores, ...]
    """One for each label; empty where the ground truth names no tracks."""
    hits: Hits
    """At the threshold."""

    @property
    def scores(self) -> Scores:
        """Of this sequence alone."""
        return total([self])


def judge(
    name: str, truth: Truth, found: Found, labels: Sequence[str], min_confidence: float = 0.0
) -> Judged:
    """Compare what was found with what was to be found.

    Args:
        name: Of the sequence.
        truth: If its label is `ONE_CLASS`, all that was found counts as one class.
        found: By `run_sequence`.
        labels: Those that count, of the ground truth of all sequences.
        min_confidence: The threshold of recall and precision.
    """
    truth = truth.of_labels(labels)
    tracking = []
    if truth.has_ids:
        with tempfile.TemporaryDirectory() as folder:
            for label in labels:
                of_label = truth.of_labels({label})
                if not of_label.ignored.all() or any(
                    _is_of(found, row, label) for row in tracked_rows(found)
                ):
                    tracking.append(_track_scores(Path(folder), of_label, found, label))
    frames = truth.annotated_frames
    frame_count = found.frame_count if frames is None else len(frames)
    hits = _hits(truth, found, labels, frame_count, min_confidence)
    return Judged(name, frame_count, tuple(labels), truth, found, tuple(tracking), hits)


def total(judged: Sequence[Judged]) -> Scores:
    """The scores of sequences taken together: not the mean of theirs, but of all their boxes."""
    precision = _average_precision(judged)
    results = [result for one in judged for result in one.tracking]
    truth_boxes = sum(int((~one.truth.ignored).sum()) for one in judged)
    hits = sum((one.hits for one in judged), Hits())
    if not results:
        return Scores(*precision, None, None, None, None, truth_boxes, None, hits.recall, hits.precision)
    clear = CLEARMetrics.from_dict(aggregate_clear_metrics([one.clear.to_dict() for one in results]))
    identity = IdentityMetrics.from_dict(
        aggregate_identity_metrics([one.identity.to_dict() for one in results])
    )
    hota = HOTAMetrics.from_dict(
        aggregate_hota_metrics(
            [one.hota.to_dict(include_arrays=True, arrays_as_list=False) for one in results]
        )
    )
    truth_tracks = sum(
        len(np.unique(one.truth.ids[~one.truth.ignored & ~one.truth.nameless])) for one in judged
    )
    return Scores(
        *precision,
        mota=float(clear.MOTA),
        idf1=float(identity.IDF1),
        hota=float(hota.HOTA),
        id_switches=int(clear.IDSW),
        truth_boxes=truth_boxes,
        truth_tracks=truth_tracks,
        recall=hits.recall,
        precision=hits.precision,
    )


def _is_of(found: Found, row: int, label: str) -> bool:
    return label in (ONE_CLASS, found.labels[row])


def _average_precision(judged: Sequence[Judged]) -> tuple[float | None, float | None]:
    """AP and AP50; None if nothing is to be found."""
    metric = MeanAveragePrecision()
    for one in judged:
        classes = {label: number for number, label in enumerate(one.labels)}
        frames = one.truth.annotated_frames
        annotated = range(one.frame_count) if frames is None else sorted(frames)
        truth_rows = _rows_by_frame(one.truth.frames)
        found_rows = _rows_by_frame(one.found.frames)
        for frame in annotated:
            metric.update(
                _found_in(one, found_rows.get(frame, []), classes),
                _true_in(one.truth, truth_rows.get(frame, []), classes),
            )
    if all(one.truth.ignored.all() for one in judged):
        return None, None
    result = metric.compute()
    return float(result.map50_95), float(result.map50)


def _hits(truth: Truth, found: Found, labels: Sequence[str], frame_count: int, min_confidence: float) -> Hits:
    """Label by label, in the frames that count."""
    frames = truth.annotated_frames
    counted = range(frame_count) if frames is None else sorted(frames)
    truth_rows, found_rows = _rows_by_frame(truth.frames), _rows_by_frame(found.frames)
    hits = Hits()
    for frame in counted:
        for label in labels:
            here = [row for row in truth_rows.get(frame, []) if truth.labels[row] == label]
            rows = [
                row
                for row in found_rows.get(frame, [])
                if _is_of(found, row, label) and found.confidences[row] >= min_confidence
            ]
            boxes = np.array([found.boxes[row] for row in rows], dtype=np.float64).reshape(-1, 4)
            confidences = [found.confidences[row] for row in rows]
            hits += count_hits(truth.boxes[here].reshape(-1, 4), truth.ignored[here], boxes, confidences)
    return hits


def _rows_by_frame(frames: Iterable[int]) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for row, frame in enumerate(frames):
        rows.setdefault(int(frame), []).append(row)
    return rows


def _found_in(one: Judged, rows: Sequence[int], classes: dict[str, int]) -> sv.Detections:
    found, is_one_class = one.found, ONE_CLASS in classes
    kept = [row for row in rows if is_one_class or found.labels[row] in classes]
    return sv.Detections(
        xyxy=np.array([found.boxes[row] for row in kept]).reshape(-1, 4),
        confidence=np.array([found.confidences[row] for row in kept], dtype=np.float64),
        class_id=np.array([0 if is_one_class else classes[found.labels[row]] for row in kept], dtype=int),
    )


def _true_in(truth: Truth, rows: Sequence[int], classes: dict[str, int]) -> sv.Detections:
    return sv.Detections(
        xyxy=truth.boxes[rows].reshape(-1, 4),
        class_id=np.array([classes[str(truth.labels[row])] for row in rows], dtype=int),
        data={"iscrowd": truth.ignored[rows].astype(np.int64)},
    )


def _without_nameless(truth: Truth) -> Truth:
    """Boxes without an id as distractors: neither to be tracked nor wrong to be."""
    nameless = truth.nameless
    ids, distractors = truth.ids.copy(), truth.distractors.copy()
    ids[nameless] = ids.max(initial=0) + 1 + np.arange(nameless.sum())
    distractors[nameless] = _DISTRACTOR
    return replace(truth, ids=ids, distractors=distractors, ignored=truth.ignored | nameless)


def _track_scores(folder: Path, truth: Truth, found: Found, label: str) -> TrackScores:
    truth = _without_nameless(truth)
    frames = truth.annotated_frames
    true_lines = [
        _line(frame, number, box, 0 if is_ignored else 1, distractor or _class(is_ignored))
        for frame, number, box, is_ignored, distractor in zip(
            truth.frames, truth.ids, truth.boxes, truth.ignored, truth.distractors, strict=True
        )
    ]
    found_lines = [
        _line(found.frames[row], found.tracks[row], found.boxes[row], 1, _SCORED_CLASS)
        for row in tracked_rows(found)
        if _is_of(found, row, label) and (frames is None or found.frames[row] in frames)
    ]
    paths = (folder / "truth.txt", folder / "found.txt")
    for path, lines in zip(paths, (true_lines, found_lines), strict=True):
        # The reader refuses an empty file; the evaluation leaves out what has a negative number.
        path.write_text("".join(lines) or _line(0, -1, np.zeros(4), 0, _UNSCORED_CLASS))
    result = evaluate_mot_sequence(*paths, metrics=_METRICS)
    if result.CLEAR is None or result.Identity is None or result.HOTA is None:
        raise EvaluationError("trackers gave no scores.")
    return TrackScores(result.CLEAR, result.Identity, result.HOTA)


def _class(is_ignored: bool) -> int:
    return _UNSCORED_CLASS if is_ignored else _SCORED_CLASS


def _line(frame: int, number: int, box: npt.NDArray[np.float64], confidence: int, mot_class: int) -> str:
    x1, y1, x2, y2 = (float(value) for value in box)
    place = ",".join(repr(value) for value in (x1, y1, x2 - x1, y2 - y1))
    return f"{frame + 1},{number},{place},{confidence},{mot_class},1\n"
