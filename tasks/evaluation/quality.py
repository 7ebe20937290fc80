"""How good a detector is on folders of labelled pictures and frames; runs in a process of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_models.catalog import MLModelSpec, find_spec
from ml_models.factory import create_ml_model
from ml_models.measurements import Quality
from ml_models.trial import Place
from tasks.evaluation.errors import GroundTruthError
from tasks.evaluation.judging import counted_labels, judge_sequence
from tasks.evaluation.metrics import Scores, total
from tasks.evaluation.run import NO_TRACKER, RunOptions
from tasks.evaluation.sequences import COCO_FILE, LabelledSequence, Pictures, TruthFormat, find_sequences


@dataclass(frozen=True)
class LabelledScores:
    """The scores of a model on a folder of ground truth.

    Args:
        data: The folder, and how much is labelled.
        scores: All of it taken together.
    """

    data: str
    scores: Scores

    def qualities(self, command: str) -> list[Quality]:
        """The figures as the catalogue keeps them."""
        figures = {
            "AP50": self.scores.ap50,
            "AP": self.scores.ap,
            "RECALL": self.scores.recall,
            "PRECISION": self.scores.precision,
        }
        return [
            Quality(metric, round(value, 3), self.data, command)
            for metric, value in figures.items()
            if value is not None
        ]


def measure_quality(name: str, place: Place, folder: Path, media: Path | None) -> list[LabelledScores]:
    """The scores of a model on each folder in the folder, or on itself, whose labels it knows.

    Args:
        name: The model.
        place: Its weights, and how it computes.
        folder: It, or folders in it, have COCO's `annotations.json`.
        media: Where videos and pictures lie; None: beside their ground truth.

    Raises:
        MLModelError: The model does not work.
        EvaluationError: Ground truth cannot be read.
        MediaError: A video cannot.
    """
    return list(_scores(find_spec(name), place, labelled_folders(folder), media))


def labelled_folders(folder: Path) -> list[Path]:
    """The folder, or those in it, that have ground truth in COCO's form.

    Raises:
        GroundTruthError: There are none.
    """
    folders = [one for one in (folder, *sorted(folder.glob("*/"))) if (one / COCO_FILE).is_file()]
    if not folders:
        raise GroundTruthError(f"{folder} has no {COCO_FILE}, nor has a folder in it.")
    return folders


def _scores(
    spec: MLModelSpec, place: Place, folders: Sequence[Path], media: Path | None
) -> Iterator[LabelledScores]:
    model = create_ml_model(
        spec.name, weights_dir=place.weights_dir, mirror=place.mirror, compute=place.compute
    )
    options = RunOptions(NO_TRACKER, spec.default_confidence)
    for folder in folders:
        sequences = find_sequences(folder, TruthFormat.COCO, media)
        labels = counted_labels(sequences, frozenset(spec.labels))
        if labels:
            judged = [judge_sequence(sequence, model, options, labels) for sequence in sequences]
            scores = total(judged)
            yield LabelledScores(_data(folder, sequences, scores), scores)


def _data(folder: Path, sequences: Sequence[LabelledSequence], scores: Scores) -> str:
    videos = [one for one in sequences if not isinstance(one.source, Pictures)]
    frames = sum(len(one.truth.annotated_frames or ()) for one in videos)
    pictures = sum(len(one.source.paths) for one in sequences if isinstance(one.source, Pictures))
    parts = [_count(frames, "frame") + " of " + _count(len(videos), "clip")] if videos else []
    parts += [_count(pictures, "photo")] if pictures else []
    return f"{folder.resolve().name}: {' and '.join(parts)}, {_count(scores.truth_boxes, 'box', 'boxes')}"


def _count(count: int, one: str, more: str | None = None) -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"
