"""Bare processes that begin to measure at the same moment."""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST_SECONDS = 300.0


def run_together(
    measure: Callable[..., None],
    processes: int,
    *arguments: Any,
    longest_seconds: float = LONGEST_SECONDS,
) -> list[Any]:
    """What each of these processes puts into its queue.

    Args:
        measure: Called in each with a barrier, the queue, and `arguments`.
        processes: How many.
        arguments: Anything that can be pickled.
        longest_seconds: They may take so long.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    results = context.Queue()
    workers = [context.Process(target=measure, args=(barrier, results, *arguments)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(longest_seconds)
        if worker.exitcode != 0:
            raise RuntimeError(f"a process to compare with ended with {worker.exitcode}")
    return [results.get(timeout=LONGEST_SECONDS) for _ in workers]


def family_cpu_seconds(root: int) -> float:
    """What a process and all below it have computed so far, those that have ended included; Linux only."""
    stats = {int(path.name): _stat(path) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    family = {root}
    while below := {pid for pid, stat in stats.items() if stat and int(stat[1]) in family} - family:
        family |= below
    # User and system time, and those of children that were waited for.
    ticks = sum(int(value) for pid in family for value in (stats[pid] or ())[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(process: Path) -> list[str] | None:
    """The fields after the name, from state and parent on."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
