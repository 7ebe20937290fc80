"""Bare processes that begin to measure at the same moment."""

import multiprocessing
from collections.abc import Callable
from typing import Any

LONGEST_SECONDS = 300.0


def run_together(measure: Callable[..., None], processes: int, *arguments: Any) -> list[Any]:
    """What each of these processes puts into its queue.

    Args:
        measure: Called in each with a barrier, the queue, and `arguments`.
        processes: How many.
        arguments: Anything that can be pickled.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    results = context.Queue()
    workers = [context.Process(target=measure, args=(barrier, results, *arguments)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(LONGEST_SECONDS)
        if worker.exitcode != 0:
            raise RuntimeError(f"a process to compare with ended with {worker.exitcode}")
    return [results.get(timeout=LONGEST_SECONDS) for _ in workers]
