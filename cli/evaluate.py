"""`framewise evaluate`: how good a model and a tracker are on videos with ground truth."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.errors import CliError
from cli.local_models import find_local_spec
from media.errors import MediaError
from ml_models.catalog import MLModelSpec
from ml_models.errors import MLModelError
from ml_models.factory import create_ml_model
from settings import Settings
from tasks.evaluation.errors import EvaluationError
from tasks.evaluation.metrics import Judged, Scores, judge, total
from tasks.evaluation.run import RunOptions, run_sequence
from tasks.evaluation.sequences import LabelledSequence, TruthFormat, find_sequences
from tasks.evaluation.truth import ONE_CLASS

EVALUATION_FORMAT = "framewise.evaluation/1"

_PERSON = "person"
_TOTAL = "all"
_SHOWN_LABELS = 8


@dataclass(frozen=True)
class EvaluateOptions:
    """What to measure, on what.

    Args:
        folder: See `tasks.evaluation.sequences.find_sequences`.
        ml_model: A model.
        tracker: A tracker of the GraphQL schema.
        truth_format: "mot" or "coco"; None: whichever is there.
        min_confidence: Threshold for tracks; None: the model's default.
        labels: Leave out other labels; None: all, or people where the ground truth has one class and the
            model knows them.
        json_file: Where to write the scores.
    """

    folder: Path
    ml_model: str
    tracker: str
    truth_format: str | None = None
    min_confidence: float | None = None
    labels: tuple[str, ...] | None = None
    json_file: Path | None = None


def evaluate_folder(settings: Settings, options: EvaluateOptions, console: Console) -> None:
    """Analyse every sequence, print a table of scores, write them if asked to.

    Raises:
        CliError: Something given is wrong, or a video cannot be read.
    """
    try:
        truth_format = None if options.truth_format is None else TruthFormat(options.truth_format.lower())
    except ValueError as error:
        raise CliError(f"--format must be mot or coco, not {options.truth_format!r}.", 2) from error
    try:
        spec = find_local_spec(options.ml_model)
        sequences = find_sequences(options.folder, truth_format)
        run = _run_options(settings, options, spec, sequences)
        shown = "" if run.labels is None else f", labels {', '.join(sorted(run.labels))}"
        console.print(
            f"Model {spec.name}, tracker {run.tracker}, confidence from {run.min_confidence:g}{shown}",
            style="dim",
            markup=False,
        )
        notes = _label_notes(spec, run, sequences)
        _say(console, notes)
        judged = _judge_all(settings, spec, sequences, run, console)
    except (MLModelError, EvaluationError, MediaError, OSError) as error:
        raise CliError(str(error)) from error
    overall = total(judged)
    console.print(_table(judged, overall))
    track_notes = [note for one in judged if (note := _track_note(one)) is not None]
    _say(console, track_notes)
    if options.json_file is not None:
        _write(options.json_file, {**_document(spec, run, judged, overall), "notes": notes + track_notes})
        console.print(f"Written: {options.json_file}", markup=False, highlight=False, soft_wrap=True)


def _run_options(
    settings: Settings, options: EvaluateOptions, spec: MLModelSpec, sequences: Sequence[LabelledSequence]
) -> RunOptions:
    confidence = spec.default_confidence if options.min_confidence is None else options.min_confidence
    if confidence < spec.floor_confidence:
        raise CliError(
            f"--min-confidence must be at least {spec.floor_confidence:g} with the model {spec.name}, "
            "which keeps no detections that are less certain.",
            2,
        )
    labels = None if options.labels is None else frozenset(options.labels)
    unknown = sorted((labels or frozenset()) - set(spec.labels))
    if unknown:
        raise CliError(f"The model {spec.name} has no label {unknown[0]!r}.", 2)
    has_one_class = all(label == ONE_CLASS for one in sequences for label in one.truth.labels)
    if labels is None and has_one_class and _PERSON in spec.labels:
        labels = frozenset({_PERSON})
    return RunOptions(options.tracker, confidence, labels, settings.decode_threads())


def _judge_all(
    settings: Settings,
    spec: MLModelSpec,
    sequences: Sequence[LabelledSequence],
    run: RunOptions,
    console: Console,
) -> list[Judged]:
    found_labels = {str(label) for sequence in sequences for label in sequence.truth.labels}
    if run.labels is not None and ONE_CLASS not in found_labels:
        found_labels &= run.labels
    labels = sorted(found_labels)
    model = create_ml_model(
        spec.name, weights_dir=settings.resolved_weights_dir(), mirror=settings.resolved_weights_mirror()
    )
    judged = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        for sequence in sequences:
            task = progress.add_task(sequence.name, total=None)

            def show(done: int, count: int, task: TaskID = task) -> None:
                progress.update(task, completed=done, total=count)

            found = run_sequence(sequence, model, run, show)
            last = max((int(frame) for frame in sequence.truth.frames), default=-1)
            last = max(last, sequence.truth.last_frame or 0)
            if last >= found.frame_count:
                raise EvaluationError(
                    f"The ground truth of {sequence.name} goes up to frame {last + 1}, but it has only "
                    f"{found.frame_count} frames."
                )
            judged.append(judge(sequence.name, sequence.truth, found, labels))
            progress.remove_task(task)
    return judged


def _label_notes(spec: MLModelSpec, run: RunOptions, sequences: Sequence[LabelledSequence]) -> list[str]:
    """A warning if nothing that is found can be what is to be found."""
    truth = {str(label) for one in sequences for label in one.truth.labels}
    wanted = set(spec.labels if run.labels is None else run.labels)
    if not truth or not wanted or ONE_CLASS in truth or truth & wanted:
        return []
    looked = f"the model {spec.name}" if run.labels is None else "--label"
    return [
        f"Warning: no label of the ground truth ({_some(truth)}) is one of {looked} ({_some(wanted)}): "
        "nothing that is found counts."
    ]


def _some(labels: Collection[str]) -> str:
    shown = sorted(labels)
    more = len(shown) - _SHOWN_LABELS
    return ", ".join(shown[:_SHOWN_LABELS]) + (f" and {more} more" if more > 0 else "")


def _track_note(judged: Judged) -> str | None:
    """Why a sequence has no scores of tracks, or not of all boxes."""
    truth, name = judged.truth, judged.name
    if not len(truth.ids):
        return f"{name}: no scores, because the ground truth has no boxes of the labels that count."
    if not truth.has_ids:
        return f"{name}: no MOTA, IDF1, HOTA and switches, because no box of the ground truth has a track id."
    count = int(truth.nameless.sum())
    if count == 0:
        return None
    boxes = "box has" if count == 1 else "boxes have"
    return f"{name}: {count} {boxes} no track id; MOTA, IDF1, HOTA and switches leave them out."


def _say(console: Console, notes: Sequence[str]) -> None:
    for note in notes:
        console.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _table(judged: Sequence[Judged], overall: Scores) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("Sequence", no_wrap=True)
    for name in ("Frames", "Boxes", "Tracks", "AP50", "AP", "MOTA", "IDF1", "HOTA", "Switches"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in judged:
        table.add_row(one.name, str(one.frame_count), *_cells(one.scores))
    if len(judged) > 1:
        table.add_section()
        table.add_row(_TOTAL, str(sum(one.frame_count for one in judged)), *_cells(overall), style="bold")
    return table


def _cells(scores: Scores) -> list[str]:
    shares = (scores.ap50, scores.ap, scores.mota, scores.idf1, scores.hota)
    return [
        str(scores.truth_boxes),
        _count(scores.truth_tracks),
        *("-" if share is None else f"{share:.3f}" for share in shares),
        _count(scores.id_switches),
    ]


def _count(count: int | None) -> str:
    return "-" if count is None else str(count)


def _document(
    spec: MLModelSpec, run: RunOptions, judged: Sequence[Judged], overall: Scores
) -> dict[str, Any]:
    return {
        "format": EVALUATION_FORMAT,
        "mlModel": spec.name,
        "tracker": run.tracker,
        "minConfidence": run.min_confidence,
        "labels": None if run.labels is None else sorted(run.labels),
        "sequences": [
            {"name": one.name, "frames": one.frame_count, **_entries(one.scores)} for one in judged
        ],
        "total": {"frames": sum(one.frame_count for one in judged), **_entries(overall)},
    }


def _entries(scores: Scores) -> dict[str, Any]:
    names = {"id_switches": "idSwitches", "truth_boxes": "truthBoxes", "truth_tracks": "truthTracks"}
    return {names.get(name, name): value for name, value in asdict(scores).items()}


def _write(path: Path, document: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise CliError(f"Cannot write {path}: {error.strerror}") from error
