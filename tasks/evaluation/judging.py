"""From a labelled sequence and a model to scores."""

from collections.abc import Callable, Sequence

from ml_models.base import AbstractImageAnalysisMLModel
from tasks.evaluation.errors import GroundTruthError
from tasks.evaluation.metrics import Judged, judge
from tasks.evaluation.run import RunOptions, run_sequence
from tasks.evaluation.sequences import LabelledSequence
from tasks.evaluation.truth import ONE_CLASS


def counted_labels(sequences: Sequence[LabelledSequence], wanted: frozenset[str] | None) -> list[str]:
    """The labels of the ground truth that count; `wanted`: leave out others, where it has labels."""
    labels = {str(label) for sequence in sequences for label in sequence.truth.labels}
    if wanted is not None and ONE_CLASS not in labels:
        labels &= wanted
    return sorted(labels)


def judge_sequence(
    sequence: LabelledSequence,
    model: AbstractImageAnalysisMLModel,
    options: RunOptions,
    labels: Sequence[str],
    on_frame: Callable[[int, int], None] = lambda done, total: None,
) -> Judged:
    """Run a model and a tracker over a sequence and compare what they find with its ground truth.

    Args:
        sequence: A video or pictures.
        model: Loaded or not.
        options: How it is analysed.
        labels: Of `counted_labels`.
        on_frame: Called with the frames done and their number.

    Raises:
        MediaError: The video cannot be read.
        GroundTruthError: A picture cannot, or the ground truth is of a longer video.
    """
    truth = sequence.truth
    found = run_sequence(sequence, model, options, on_frame)
    last = max((int(frame) for frame in truth.frames), default=-1)
    last = max(last, truth.last_frame or 0)
    if last >= found.frame_count:
        raise GroundTruthError(
            f"The ground truth of {sequence.name} goes up to frame {last + 1}, but it has only "
            f"{found.frame_count} frames."
        )
    counted = truth if found.truth is None else found.truth
    return judge(sequence.name, counted, found, labels, options.min_confidence)
