"""`make chaos CHAOS=subscribers`: many who watch one analysis for long, on a server whose memory must not grow."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.socket_crowd import Crowd
from tests.chaos.soak_memory import resident_bytes

_KIB = 1024
_REPOSITORY = Path(__file__).resolve().parents[2]
_STEPS = 50
_WARM_UP = 0.2
_NOISE_BYTES_PER_EVENT = 50
"""A slope up to this is flat: 0.25 MB in 5,000 events, less than the allocator's own steps."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make chaos CHAOS='subscribers …'", description=__doc__)
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--events", type=int, default=5000)
    options = parser.parse_args(arguments)
    command = [sys.executable, "-m", "benchmarks.fan_out_server", "ours"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_REPOSITORY) as server:
        assert server.stdout is not None
        try:
            facts = json.loads(server.stdout.readline())
            with Crowd(facts["port"], options.sockets, facts["token"], facts["id"]) as crowd:
                readings = _watch(server.pid, crowd, options.events)
        finally:
            server.terminate()
    return _report(readings, options.sockets)


def _watch(pid: int, crowd: Crowd, events: int) -> list[tuple[int, int]]:
    """Events so far, and the server's memory then."""
    readings, done = [], 0
    for step in range(1, _STEPS + 1):
        due = events * step // _STEPS
        crowd.events(due - done)
        done = due
        resident = resident_bytes(pid)
        if resident is None:
            raise SystemExit("the server has ended")
        readings.append((done, resident))
    return readings


def _report(readings: list[tuple[int, int]], sockets: int) -> int:
    warm = readings[int(len(readings) * _WARM_UP) :]
    slope = slope_of(warm)
    for done, resident in readings[:: _STEPS // 10]:
        sys.stdout.write(f"{done:7d} events: {resident / _KIB:9.0f} KiB\n")
    sys.stdout.write(
        f"{sockets} sockets, {readings[-1][0]} events: {slope:.1f} bytes an event after warm-up\n"
    )
    if slope > _NOISE_BYTES_PER_EVENT:
        sys.stdout.write("The server's memory grows.\n")
        return 1
    return 0


def slope_of(points: list[tuple[int, int]]) -> float:
    """By how much the second number grows with the first: the line of least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
