"""`framewise evaluate`: how good a model and a tracker are on videos with ground truth."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.errors import CliError
from cli.frame_options import Region
from cli.local_models import find_local_spec
from cli.printing import new_table, say
from domain.analyses.options import AnalysisMode, DetectionOptions, Precision, Tiling, stored_options
from domain.errors import InvalidError
from media.errors import MediaError
from ml_models.catalog import MLModelSpec
from ml_models.compute import Compute, Device
from ml_models.errors import MLModelError
from ml_models.factory import create_ml_model
from ml_models.openvino import why_not_bfloat16
from settings import Settings
from tasks.evaluation.errors import EvaluationError
from tasks.evaluation.judging import counted_labels, judge_sequence
from tasks.evaluation.metrics import Judged, Scores, total
from tasks.evaluation.run import RunOptions
from tasks.evaluation.sequences import LabelledSequence, TruthFormat, find_sequences
from tasks.evaluation.truth import ONE_CLASS

EVALUATION_FORMAT = "framewise.evaluation/1"

_PERSON = "person"
_TOTAL = "all"
_OF_TRACKS = ("Tracks", "MOTA", "IDF1", "HOTA", "Switches")
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
        media: Where videos and pictures lie that are not beside their ground truth; None: there.
        frame_stride: Look at every Nth frame; only those count.
        is_fast: Whether speed matters more than exactness.
        region: Corners of the polygon to look at, as shares of the frame; None: the whole frame.
        tile: Pixels and overlap of the tiles that frames are cut into; None: none.
        motion_gating: Whether frames in which nothing moves are skipped.
    """

    folder: Path
    ml_model: str
    tracker: str
    truth_format: str | None = None
    min_confidence: float | None = None
    labels: tuple[str, ...] | None = None
    json_file: Path | None = None
    media: Path | None = None
    frame_stride: int = 1
    is_fast: bool = False
    region: Region | None = None
    tile: tuple[int, float] | None = None
    motion_gating: bool = False


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
        sequences = find_sequences(options.folder, truth_format, options.media)
        run = _run_options(settings, options, spec, sequences)
        shown = "" if run.labels is None else f", labels {', '.join(sorted(run.labels))}"
        console.print(
            f"Model {spec.name}, tracker {run.tracker}, confidence from {run.min_confidence:g}{shown}"
            f"{_looking_words(run)}",
            style="dim",
            markup=False,
        )
        notes = _label_notes(spec, run, sequences)
        _warn(console, notes)
        judged = _judge_all(settings, spec, sequences, run, console)
    except (InvalidError, MLModelError, EvaluationError, MediaError, OSError) as error:
        raise CliError(str(error)) from error
    overall = total(judged)
    console.print(_table(judged, overall))
    track_notes = [note for one in judged if (note := _track_note(one)) is not None]
    _warn(console, track_notes)
    if options.json_file is not None:
        _write(options.json_file, {**_document(spec, run, judged, overall), "notes": notes + track_notes})
        say(console, f"Written: {options.json_file}")


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
    return RunOptions(
        options.tracker,
        confidence,
        labels,
        settings.decode_threads(),
        options.frame_stride,
        _detection_options(settings, options, spec),
    )


def _detection_options(settings: Settings, options: EvaluateOptions, spec: MLModelSpec) -> dict[str, Any]:
    """As an analysis has them; the precision of FAST as a worker on this machine decides for it."""
    is_reduced = (
        options.is_fast
        and spec.keeps_quality_in_bfloat16
        and Device(settings.device) is Device.CPU
        and why_not_bfloat16() is None
    )
    chosen = DetectionOptions(
        mode=AnalysisMode.FAST if options.is_fast else AnalysisMode.EXACT,
        region=options.region,
        tiling=None if options.tile is None else Tiling(*options.tile),
        motion_gating=options.motion_gating or options.is_fast,
        precision=Precision.BF16 if is_reduced else Precision.FULL,
    )
    chosen.check(())
    return stored_options(chosen) or {}


def _looking_words(run: RunOptions) -> str:
    """What differs from looking at every frame as it is."""
    options = run.detection_options
    words = [f"stride {run.frame_stride}"] if run.frame_stride > 1 else []
    words += ["mode FAST"] if options.get("mode") == AnalysisMode.FAST else []
    words += ["bfloat16"] if options.get("precision") == Precision.BF16 else []
    words += ["region"] if options.get("region") else []
    words += [f"tiles of {options['tiling']['tile_pixels']} pixels"] if options.get("tiling") else []
    words += ["motion gating"] if options.get("motion_gating") else []
    return "".join(f", {word}" for word in words)


def _judge_all(
    settings: Settings,
    spec: MLModelSpec,
    sequences: Sequence[LabelledSequence],
    run: RunOptions,
    console: Console,
) -> list[Judged]:
    labels = counted_labels(sequences, run.labels)
    device, is_reduced = Device(settings.device), run.detection_options.get("precision") == Precision.BF16
    model = create_ml_model(
        spec.name,
        weights_dir=settings.resolved_weights_dir(),
        mirror=settings.resolved_weights_mirror(),
        compute=Compute(device, settings.decode_threads(), bfloat16=is_reduced),
    )
    judged = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        for sequence in sequences:
            task = progress.add_task(sequence.name, total=None)

            def show(done: int, count: int, task: TaskID = task) -> None:
                progress.update(task, completed=done, total=count)

            judged.append(judge_sequence(sequence, model, run, labels, show))
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


def _warn(console: Console, notes: Sequence[str]) -> None:
    for note in notes:
        say(console, note, "yellow")


def _table(judged: Sequence[Judged], overall: Scores) -> Table:
    """A row for each sequence; without the columns of tracks where no sequence has scores of those."""
    has_tracks = any(one.tracking for one in judged)
    columns = [name for name in _cells(overall) if has_tracks or name not in _OF_TRACKS]
    table = new_table()
    table.add_column("Sequence", no_wrap=True)
    for name in ("Frames", *columns):
        table.add_column(name, justify="right", no_wrap=True)

    def add_row(name: str, frame_count: int, scores: Scores, style: str | None = None) -> None:
        cells = _cells(scores)
        table.add_row(name, str(frame_count), *(cells[column] for column in columns), style=style)

    for one in judged:
        add_row(one.name, one.frame_count, one.scores)
    if len(judged) > 1:
        table.add_section()
        add_row(_TOTAL, sum(one.frame_count for one in judged), overall, "bold")
    return table


def _cells(scores: Scores) -> dict[str, str]:
    return {
        "Boxes": str(scores.truth_boxes),
        "Tracks": _count(scores.truth_tracks),
        "AP50": _share(scores.ap50),
        "AP": _share(scores.ap),
        "MOTA": _share(scores.mota),
        "IDF1": _share(scores.idf1),
        "HOTA": _share(scores.hota),
        "Switches": _count(scores.id_switches),
        "Recall": _share(scores.recall),
        "Precision": _share(scores.precision),
    }


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


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
        "frameStride": run.frame_stride,
        "detectionOptions": dict(run.detection_options),
        "sequences": [
            {
                "name": one.name,
                "frames": one.frame_count,
                "framesSeen": one.found.frames_seen,
                "framesLookedAt": one.found.frames_looked_at,
                **_entries(one.scores),
            }
            for one in judged
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
