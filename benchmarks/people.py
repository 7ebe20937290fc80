"""Who is found in clips whose people are known: our register beside the loop of the package face_recognition.

Run as `python -m benchmarks.people`; a part of `make bench`. Clips are uploaded to a real server, an account
for each set; what is compared is the register that comes of it.
"""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from benchmarks.arguments import new_parser
from benchmarks.people_loop import people_loop
from benchmarks.people_scores import FoundFace, PeopleScores, score, tracked_faces
from benchmarks.processes import family_cpu_seconds
from benchmarks.server import BenchServer
from domain.analyses.files import tracked_key
from graphql_api.relay import require_uuid
from tests.people_sets import CLIP_SETS
from tests.people_truth import Clip

ML_MODEL = "yunet-2026may"
SPEED_AIM = 20.0
_WARM_UP = "gestures/walk.mkv"
_SEGMENTS = "SELECT segment_count FROM analyses WHERE id = ?"
_PEOPLE = "SELECT track_id, person_id FROM appearances WHERE analysis_id = ? AND person_id IS NOT NULL"


@dataclass(frozen=True)
class Measured:
    """What one way found in a set of clips, and what it took."""

    scores: PeopleScores
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Way:
    """One way for a set of clips to the register.

    Args:
        name: As it is printed.
        server: Which server does it.
        mode: Of the analyses.
    """

    name: str
    server: BenchServer
    mode: str


def measure_register(server: BenchServer, clips: Sequence[Clip], mode: str = "EXACT") -> Measured:
    """Upload all clips of a set at once; from then to the last final state."""
    server.sign_up(f"people-{uuid4().hex[:8]}")
    started, cpu_before = time.perf_counter(), family_cpu_seconds(server.pid)
    states = server.upload_and_finish([clip.path for clip in clips], _settings(mode))
    seconds, cpu_seconds = time.perf_counter() - started, family_cpu_seconds(server.pid) - cpu_before
    found = {
        clip.name: read_faces(server.data_dir, require_uuid(state["id"], "Analysis"))
        for clip, state in zip(clips, states, strict=True)
    }
    return Measured(score(clips, found), seconds, cpu_seconds)


def measure_loop(clips: Sequence[Clip]) -> Measured:
    """The loop on all clips of a set, one after the other."""
    figures = people_loop([clip.path for clip in clips])
    found = {clip.name: figures.faces[str(clip.path)] for clip in clips}
    return Measured(score(clips, found), figures.seconds, figures.cpu_seconds)


def read_faces(data_dir: Path, analysis_id: UUID) -> list[FoundFace]:
    """The faces of an analysis that are somebody's: those of the tracks that are appearances."""
    with sqlite3.connect(f"file:{data_dir / 'framewise.sqlite3'}?mode=ro", uri=True) as connection:
        ((segments,),) = connection.execute(_SEGMENTS, (str(analysis_id),))
        people = dict(connection.execute(_PEOPLE, (str(analysis_id),)))
    tables = (
        (data_dir / "files" / tracked_key(analysis_id, number)).read_bytes() for number in range(segments)
    )
    return tracked_faces(tables, people)


def print_people(ways: Sequence[Way], media: Path, directory: Path, sets: Sequence[str]) -> bool:
    """Measure and print; whether nobody was merged, and the loop was matched at so many times its speed.

    Models are loaded before, by each server as by the loop: neither counts.
    """
    print(f"\nWho is found: {ML_MODEL} and the register, beside dlib in every frame, tolerance 0.6")
    print(f"  {'':<13}{'':<14}people: real found known   prec. recall  BCubed: prec. recall   F1   merged")
    for way in ways:
        way.server.upload_and_finish([media / _WARM_UP], _settings(way.mode))
    is_as_wanted = True
    ours: dict[str, list[Measured]] = {way.name: [] for way in ways}
    loops: list[Measured] = []
    for name in sets:
        clips = CLIP_SETS[name](media, directory / name.replace(" ", "-"))
        found = {way.name: measure_register(way.server, clips, way.mode) for way in ways}
        loops.append(measure_loop(clips))
        for way_name, measured in found.items():
            ours[way_name].append(measured)
            _print_row(name, way_name, measured, loops[-1])
            is_as_wanted &= not measured.scores.false_merges and measured.scores.f1 >= loops[-1].scores.f1
        _print_row(name, "loop", loops[-1], loops[-1])
    print("  all sets:")
    for way_name, all_measured in ours.items():
        is_as_wanted &= _print_speed(way_name, all_measured, loops)
    print(f"  aim: no merge, F1 of the loop or better, {SPEED_AIM:.0f} times its speed")
    return is_as_wanted


def _settings(mode: str) -> dict[str, Any]:
    return {"mlModel": ML_MODEL, "createPeople": True, "mode": mode}


def _print_speed(name: str, ours: Sequence[Measured], loops: Sequence[Measured]) -> bool:
    is_fast = True
    for unit, field in (("on the clock", "seconds"), ("of the processor", "cpu_seconds")):
        one, other = (sum(getattr(measured, field) for measured in ways) for ways in (ours, loops))
        print(f"  {name:<14}{one:7.1f} s {unit}, loop {other:7.1f} s: {other / one:5.1f} times as fast")
        is_fast &= other / one >= SPEED_AIM
    return is_fast


def _print_row(name: str, way: str, measured: Measured, loop: Measured) -> None:
    scores = measured.scores
    print(
        f"  {name:<13}{way:<14}{scores.real:12d}{scores.found:6d}{scores.known:6d}"
        f"{scores.person_precision:8.2f}{scores.person_recall:7.2f}"
        f"{scores.precision:15.3f}{scores.recall:7.3f}{scores.f1:7.3f}{scores.false_merges:7d}"
        f"{measured.seconds:8.1f} s{measured.cpu_seconds:7.1f} s CPU: loop / this"
        f"{loop.seconds / measured.seconds:6.1f}{loop.cpu_seconds / measured.cpu_seconds:6.1f}",
        flush=True,
    )


def main() -> int:
    """Measure on a server of its own; 1 when an aim is missed."""
    parser = new_parser("python -m benchmarks.people", __doc__)
    parser.add_argument("--set", action="append", choices=CLIP_SETS, help="only this set; may be repeated")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="framewise-people-") as folder:
        directory = Path(folder)
        with (
            BenchServer(directory / "one", options.weights, slots=1) as one,
            BenchServer(directory / "two", options.weights, slots=2) as two,
        ):
            ways = Way("1 slot", one, "EXACT"), Way("1 slot, FAST", one, "FAST"), Way("2 slots", two, "EXACT")
            sets: list[Any] = options.set or list(CLIP_SETS)
            return 0 if print_people(ways, options.media, directory, sets) else 1


if __name__ == "__main__":
    sys.exit(main())
