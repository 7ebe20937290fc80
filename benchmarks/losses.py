"""What mode FAST, bfloat16, motion gating and tiles lose, on the labelled frames of real clips.

Run as `python -m benchmarks.losses`. It prints a table as docs/speed.md has it. Only the frames that
benchmarks/labels has boxes for count; FAST and motion gating see all frames up to the last of those.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.arguments import new_parser
from ml_models.catalog import find_spec
from ml_models.compute import Compute
from ml_models.factory import create_ml_model
from ml_models.openvino import why_not_bfloat16
from tasks.evaluation.judging import counted_labels, judge_sequence
from tasks.evaluation.metrics import Judged
from tasks.evaluation.run import NO_TRACKER, RunOptions
from tasks.evaluation.sequences import LabelledSequence, Pictures, find_sequences

LABELS = Path(__file__).with_name("labels")
MODELS = (
    ("bottles", "yolox-nano"),
    ("persons", "yolox-nano"),
    ("persons", "nanodet-m-416"),
    ("faces", "yunet-2026may"),
)
FIXED_CAMERA = ("bottle-detection.mp4", "one-by-one-person-detection.mp4")
LOSS_AIM = 0.01
_EXACT = "EXACT"
_FAST = "FAST"


@dataclass(frozen=True)
class Way:
    """One way to look at frames.

    Args:
        options: Stored `DetectionOptions`.
        bfloat16: Whether networks are computed so.
    """

    options: Mapping[str, Any]
    bfloat16: bool = False


def ways(ml_model: str) -> dict[str, Way]:
    """Those to compare, by name; bfloat16 only for models and CPUs that a worker would choose it for."""
    reduced = find_spec(ml_model).keeps_quality_in_bfloat16 and why_not_bfloat16() is None
    found = {
        _EXACT: Way({}),
        "motion gating": Way({"motion_gating": True}),
        _FAST: Way({"mode": "FAST", "motion_gating": True}),
        "tiles of 320": Way({"tiling": {"tile_pixels": 320, "overlap": 0.2}}),
    }
    if reduced:
        found["bfloat16"] = Way({}, bfloat16=True)
        found["FAST, bfloat16"] = replace(found[_FAST], bfloat16=True)
    return found


def measure(
    ml_model: str, sequence: LabelledSequence, weights: Path, chosen: str | None = None
) -> Iterator[tuple[str, Judged]]:
    """Each way by name, and what it finds of the labelled boxes at the model's default threshold."""
    spec = find_spec(ml_model)
    labels = counted_labels([sequence], frozenset(spec.labels))
    for name, way in ways(ml_model).items():
        if chosen in (None, name):
            compute = Compute(bfloat16=way.bfloat16)
            model = create_ml_model(ml_model, weights_dir=weights, mirror=str(weights), compute=compute)
            run = RunOptions(NO_TRACKER, spec.default_confidence, detection_options=way.options)
            yield name, judge_sequence(sequence, model, run, labels)


def print_losses(media: Path, weights: Path, ml_model: str | None) -> bool:
    """Measure and print; whether FAST loses no more than it may where the camera is fixed."""
    print("| Clip and model | Way | Frames looked at | Recall | Precision | AP50 | AP |")
    print("|---|---|---|---|---|---|---|")
    reached = True
    for folder, name in MODELS:
        if ml_model not in (None, name):
            continue
        for sequence in find_sequences(LABELS / folder, media=media):
            if isinstance(sequence.source, Pictures):
                continue
            exact = 0.0
            for way, judged in measure(name, sequence, weights):
                print(_row(f"`{sequence.name}`, `{name}`", way, judged, folder), flush=True)
                recall = judged.scores.recall or 0.0
                exact = recall if way == _EXACT else exact
                if way.startswith(_FAST) and sequence.name in FIXED_CAMERA:
                    reached &= recall >= exact - LOSS_AIM
    return reached


def _row(clip: str, way: str, judged: Judged, things: str) -> str:
    found, scores = judged.found, judged.scores
    share = 1.0 if way == _EXACT else found.frames_looked_at / max(1, found.frames_seen)
    recall = f"{scores.recall or 0:.1%} ({judged.hits.found} of {judged.hits.expected} {things})"
    shown = ["-" if one is None else f"{one:.3f}" for one in (scores.precision, scores.ap50, scores.ap)]
    return f"| {clip} | {way} | {share:.0%} | {recall} | {' | '.join(shown)} |"


def main() -> int:
    """Measure; 1 when FAST loses too much."""
    parser = new_parser("python -m benchmarks.losses", __doc__)
    parser.add_argument("--model", help="Only this one.")
    options = parser.parse_args()
    return 0 if print_losses(options.media, options.weights, options.model) else 1


if __name__ == "__main__":
    sys.exit(main())
