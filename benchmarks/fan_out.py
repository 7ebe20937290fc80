"""One event to many sockets: ours beside node's `graphql-ws` and beside bare WebSockets with the same bytes.

Each event is made when everybody has got the last, so the rate says how fast a server hands one event to all,
the client's reading included, which is the same for all three.
"""

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.socket_crowd import Crowd, Delivery, has_room_for

REPOSITORY = Path(__file__).resolve().parent.parent
CROWDS = (500, 2000)

_FRAMES = 20_000
"""Frames of one measurement: so many events that each size of crowd gets about as many."""


def print_fan_out(rounds: int) -> None:
    """Measure each size of crowd in turn and print a table of medians."""
    for size in CROWDS:
        if not has_room_for(size):
            print(f"\nNo room for {size} sockets: raise the limit of open files.")
            continue
        _print_table(size, _measure(size, rounds))


def _measure(size: int, rounds: int) -> dict[str, list[Delivery]]:
    """What each server delivers, measured in turn so that a noisy machine is noisy to all."""
    deliveries: dict[str, list[Delivery]] = {}
    with contextlib.ExitStack() as stack:
        crowds = {name: stack.enter_context(_crowd(command, size)) for name, command in _commands().items()}
        for crowd in crowds.values():
            crowd.events(3)
        for _ in range(rounds):
            for name, crowd in crowds.items():
                deliveries.setdefault(name, []).append(crowd.events(max(_FRAMES // size, 5)))
    return deliveries


def _commands() -> dict[str, list[str]]:
    server = [sys.executable, "-m", "benchmarks.fan_out_server"]
    commands = {"ours": [*server, "ours"], "bare WebSockets": [*server, "bare"]}
    node = _node()
    if node is not None:
        script = REPOSITORY / "tests" / "clients" / "fan_out_server.mjs"
        commands["node, graphql-ws and ws"] = [node, str(script)]
    return commands


def _node() -> str | None:
    from scripts.build_web import BuildError, find_node

    if not (REPOSITORY / "tests" / "clients" / "node_modules").is_dir():
        print("\nWithout node: its packages are not installed (npm ci in tests/clients).")
        return None
    try:
        return str(find_node().node)
    except BuildError as error:
        print(f"\nWithout node: {error}")
        return None


@contextlib.contextmanager
def _crowd(command: list[str], size: int) -> Iterator[Crowd]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        try:
            facts = json.loads(process.stdout.readline())
            with Crowd(facts["port"], size, facts["token"], facts["id"]) as crowd:
                yield crowd
        finally:
            process.terminate()


def _print_table(size: int, deliveries: dict[str, list[Delivery]]) -> None:
    rates = {
        name: statistics.median(one.frames / one.seconds for one in runs) for name, runs in deliveries.items()
    }
    print(f"\nOne event to {size} sockets (median of {len(deliveries['ours'])} rounds)")
    for name, runs in deliveries.items():
        latencies = sorted(latency for one in runs for latency in one.latencies)
        frame_bytes = sum(one.bytes for one in runs) / sum(one.frames for one in runs)
        print(
            f"  {name:<26} {rates[name]:9.0f} frames/s   delivered in {_percentile(latencies, 50):6.1f} ms, "
            f"p99 {_percentile(latencies, 99):6.1f} ms   {frame_bytes:4.0f} bytes a frame"
        )
    for name in rates:
        if name != "ours":
            print(f"  ours ÷ {name}: {rates['ours'] / rates[name]:.2f}")


def _percentile(sorted_seconds: list[float], percent: int) -> float:
    return 1000 * sorted_seconds[min(len(sorted_seconds) * percent // 100, len(sorted_seconds) - 1)]


if __name__ == "__main__":
    print_fan_out(rounds=3)
