"""`make bench`: our pipeline beside its limit and beside a plain loop, in one run, as ratios."""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.arguments import new_parser
from benchmarks.baselines import run_limit, run_plain_loop
from benchmarks.clips import make_720p, make_part, with_new_hash
from benchmarks.fan_out import print_fan_out
from benchmarks.lists import print_lists
from benchmarks.models import print_models
from benchmarks.people import Way, print_people
from benchmarks.people_page import print_people_page
from benchmarks.people_search import print_people_search
from benchmarks.rerun import print_reruns
from benchmarks.server import BenchServer
from benchmarks.uploads import UPLOAD_BYTES, print_uploads

PEOPLE_SETS = ("hamilton", "together", "signers")
"""All of them take half an hour: python -m benchmarks.people."""

_SEARCHES = 10


def main() -> int:
    """Measure every clip in turn and print a table of medians."""
    parser = new_parser("make bench", __doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    source = options.media / "one-by-one-person-detection.mp4"
    weights = options.weights / "yolox_nano.onnx"
    for needed in (source, weights):
        if not needed.is_file():
            sys.stderr.write(f"{needed} is missing: give --media and --weights.\n")
            return 2
    with tempfile.TemporaryDirectory(prefix="framewise-bench-") as folder:
        directory = Path(folder)
        clips = {
            "768x432": make_part(source, directory / "432p.mp4"),
            "1280x720": make_720p(source, directory / "720p.mp4"),
        }
        with (
            BenchServer(directory / "one", options.weights, slots=1) as one,
            BenchServer(directory / "two", options.weights, slots=2) as two,
        ):
            for name, clip in clips.items():
                _print_clip(name, _measure(clip, weights, one, two, directory, options.rounds))
            _print_latency(two, options.media / "short_hamilton_clip.mp4", directory, options.rounds)
            print_reruns(two, source, directory, options.rounds)
        with BenchServer(directory / "people", options.weights, slots=1) as server:
            ways = Way("1 slot", server, "EXACT"), Way("1 slot, FAST", server, "FAST")
            print_people(ways, options.media, directory, PEOPLE_SETS)
        asyncio.run(print_models(options.media, options.weights, options.rounds))
        print_fan_out(options.rounds)
        print_lists(directory, options.weights, options.rounds)
        print_people_page()
        print_people_search(_SEARCHES, options.media, options.weights)
        print_uploads(directory, options.weights, UPLOAD_BYTES, options.rounds)
    return 0


def _measure(
    clip: Path, weights: Path, one: BenchServer, two: BenchServer, directory: Path, rounds: int
) -> dict[str, float]:
    """Median frames a second of each way, measured in turn so that a noisy machine is noisy to all."""
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        figures.setdefault("limit, 1 process", []).append(run_limit(clip, weights.parent, processes=1))
        figures.setdefault("pipeline, 1 slot", []).append(
            one.frames_per_second([with_new_hash(clip, directory)])
        )
        figures.setdefault("limit, 2 processes", []).append(run_limit(clip, weights.parent, processes=2))
        figures.setdefault("pipeline, 2 slots, 1 video", []).append(
            two.frames_per_second([with_new_hash(clip, directory)])
        )
        figures.setdefault("pipeline, 2 slots, 2 videos", []).append(
            two.frames_per_second([with_new_hash(clip, directory) for _ in range(2)])
        )
        figures.setdefault("plain loop, default threads", []).append(run_plain_loop(clip, weights))
    return {name: statistics.median(values) for name, values in figures.items()}


def _print_clip(name: str, figures: dict[str, float]) -> None:
    limits = {"1": figures["limit, 1 process"], "2": figures["limit, 2 processes"]}
    print(f"\nyolox-nano on {name}, frames a second (median)")
    for way, value in figures.items():
        limit = limits["1" if way.endswith(("1 slot", "1 process")) else "2"]
        print(f"  {way:<30} {value:8.1f}   {value / limit:5.2f} of the limit")
    ratio = figures["pipeline, 2 slots, 1 video"] / figures["plain loop, default threads"]
    print(f"  pipeline on 2 slots ÷ plain loop: {ratio:.2f}")


def _print_latency(server: BenchServer, clip: Path, directory: Path, rounds: int) -> None:
    overheads = [server.overhead_seconds(with_new_hash(clip, directory)) for _ in range(max(rounds, 5))]
    median = statistics.median(overheads)
    print(f"\nFrom the upload of {clip.name} to its final state, minus compute: {median:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
