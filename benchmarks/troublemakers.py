"""Whether models that crash, eat, sleep or raise slow down those beside them.

Run as `python -m benchmarks.troublemakers`: three healthy videos beside four troublemakers, then beside as
many healthy neighbours, in turn.
"""

import statistics
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.arguments import new_parser
from benchmarks.clips import make_part, with_new_hash
from benchmarks.server import BenchServer
from tests.samples import make_plain
from tests.tasks.plugin import install_plugin

TROUBLEMAKERS = ("crashes-late", "eats-in-pieces", "sleeps", "raises")
HEALTHY: dict[str, Any] = {"mlModel": "yolox-nano", "minConfidence": 0.3}
_HEALTHY_COUNT = 3
_FRAMES = 300
_LIMITS = {
    "STALL_SECONDS": "10",
    "BASE_TIME_LIMIT_SECONDS": "20",
    "ANALYSIS_PROCESS_MEMORY_BYTES": "2147483648",
}


def measure(server: BenchServer, clip: Path, directory: Path, neighbours: list[tuple[Path, str]]) -> float:
    """Frames a second of the healthy videos, all begun after their neighbours, to the last one's end."""
    others = [
        server.begin(server.add_video(with_new_hash(path, directory)), {**HEALTHY, "mlModel": model})
        for path, model in neighbours
    ]
    videos = [server.add_video(with_new_hash(clip, directory)) for _ in range(_HEALTHY_COUNT)]
    healthy = [server.begin(video, HEALTHY) for video in videos]
    states = [server.final_state(analysis_id) for analysis_id in healthy]
    if any(state["status"] != "SUCCEEDED" for state in states):
        raise RuntimeError([state["errorMessage"] for state in states])
    began = min(datetime.fromisoformat(state["createdAt"]) for state in states)
    ended = max(datetime.fromisoformat(state["finishedAt"]) for state in states)
    for analysis_id, (_, model) in zip(others, neighbours, strict=True):
        state = server.final_state(analysis_id)
        if model in TROUBLEMAKERS:
            print(f"    {model}: {state['errorMessage']}")
    return float(sum(state["framesTotal"] for state in states) / (ended - began).total_seconds())


def main() -> int:
    """Measure both in turn and print their ratio."""
    parser = new_parser("python -m benchmarks.troublemakers", __doc__)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="framewise-trouble-") as folder:
        directory = Path(folder)
        install_plugin(directory / "site")
        source = options.media / "one-by-one-person-detection.mp4"
        clip = make_part(source, directory / "healthy.mp4", _FRAMES)
        numbered = make_plain(directory / "numbered.mp4", frame_count=120)
        trouble = [(numbered, model) for model in TROUBLEMAKERS]
        company = [(clip, str(HEALTHY["mlModel"])) for _ in TROUBLEMAKERS]
        environment = {f"FRAMEWISE_{name}": value for name, value in _LIMITS.items()}
        environment["PYTHONPATH"] = str(directory / "site")
        figures: dict[str, list[float]] = {}
        with BenchServer(directory / "server", options.weights, 2, environment) as server:
            for _ in range(options.rounds):
                for name, neighbours in (("alone", []), ("healthy", company), ("trouble", trouble)):
                    speed = measure(server, clip, directory, neighbours)
                    figures.setdefault(name, []).append(speed)
    _print(figures)
    return 0


def _print(figures: dict[str, list[float]]) -> None:
    alone, healthy, trouble = (statistics.median(figures[name]) for name in ("alone", "healthy", "trouble"))
    count = len(TROUBLEMAKERS)
    print(f"\n{_HEALTHY_COUNT} healthy videos, frames a second together (median)")
    print(f"  {'alone':<28} {alone:8.1f}")
    print(f"  {f'beside {count} healthy neighbours':<28} {healthy:8.1f}   {healthy / alone:5.2f} of alone")
    print(f"  {f'beside {count} troublemakers':<28} {trouble:8.1f}   {trouble / alone:5.2f} of alone")
    print(f"  beside troublemakers ÷ beside healthy neighbours: {trouble / healthy:.2f}")


if __name__ == "__main__":
    sys.exit(main())
