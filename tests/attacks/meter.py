"""Measures, inside the API process, how long its event loop is kept from turning, and what it holds.

A timer of the loop fires every two milliseconds. What CPU time the loop's thread took between two of its turns
is how long nobody else had his turn: waiting for a busy machine costs no CPU time and does not count. Timers
come first in a turn of uvloop, so that is one turn of the loop, callbacks of all ready sockets included.
"""

import asyncio
import gc
import json
import os
import resource
import socket
import sys
import threading
import time
import traceback
from collections import Counter
from itertools import chain
from types import FrameType
from typing import Any

TICK_SECONDS = 0.002
_SAMPLE_SECONDS = 0.005
_SUSPICIOUS_SECONDS = 0.02

_OURS = ("cli.", "domain.", "graphql_api.", "starlette.", "storage.", "uvicorn.", "websockets.")
_KEPT = ("graphql_api.execution.", "graphql_api.rules.", "domain.uploads.hashing.")
"""Caches, which have bounds of their own."""
_GENERAL = ("_asyncio.Task", "builtins.coroutine", "builtins.async_generator")


def is_watched(name: str) -> bool:
    """Whether objects of this type must not pile up."""
    return name in _GENERAL or (name.startswith(_OURS) and not name.startswith(_KEPT))


def calibrate() -> float:
    """CPU seconds that a fixed piece of work takes here, the best of three."""
    return min(_work() for _ in range(3))


def _work() -> float:
    began = time.thread_time()
    table: dict[int, str] = {}
    for number in range(60_000):
        table[number % 1_000] = str(number)
    return time.thread_time() - began


class Meter:
    """The meter of one process; it is asked over a socket, by a thread of its own.

    Args:
        control: The socket; a line is a command, the answer a line of JSON.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id = 0
        self._last = (0.0, 0.0)
        self._calibration_seconds = calibrate()
        self.statuses: Counter[int] = Counter()
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._worst_cpu = self._worst_wall = self._cpu_of_worst_wall = 0.0
        self._turns_over_limit = 0
        self._collection_began = 0.0
        self._worst_collection = (0.0, 0, 0)
        self._collecting_seconds = 0.0
        self._worst_without_collector = 0.0
        self._culprits: dict[float, list[str]] = {}
        self.statuses.clear()

    def open(self) -> None:
        """Begin to measure the running loop."""
        gc.callbacks.append(self._note_collection)
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._last = (time.monotonic(), time.thread_time())
        self._loop.call_later(TICK_SECONDS, self._tick)
        threading.Thread(target=self._serve, daemon=True).start()
        threading.Thread(target=self._look_for_culprits, daemon=True).start()

    def _tick(self) -> None:
        wall, cpu = time.monotonic(), time.thread_time()
        gap, used = wall - self._last[0], cpu - self._last[1]
        self._last = (wall, cpu)
        collecting, self._collecting_seconds = self._collecting_seconds, 0.0
        self._worst_without_collector = max(self._worst_without_collector, used - collecting)
        if used > self._worst_cpu:
            self._worst_cpu = used
        if gap > self._worst_wall:
            self._worst_wall, self._cpu_of_worst_wall = gap, used
        if used > 0.05:
            self._turns_over_limit += 1
        assert self._loop is not None
        self._loop.call_later(TICK_SECONDS, self._tick)

    def _note_collection(self, phase: str, info: dict[str, int]) -> None:
        if threading.get_ident() != self._thread_id:
            return
        if phase == "start":
            self._collection_began = time.thread_time()
        else:
            used = time.thread_time() - self._collection_began
            self._collecting_seconds += used
            if used > self._worst_collection[0]:
                self._worst_collection = (used, info["generation"], info["collected"])

    def _look_for_culprits(self) -> None:
        """Note where the loop is when its turn takes long."""
        while True:
            time.sleep(_SAMPLE_SECONDS)
            began = self._last[0]
            if time.monotonic() - began > _SUSPICIOUS_SECONDS:
                frame = sys._current_frames().get(self._thread_id)
                if (
                    frame is not None
                    and len(self._culprits.get(began, [])) < 40
                    and len(self._culprits) < 400
                ):
                    self._culprits.setdefault(began, []).append(_place(frame))

    def _serve(self) -> None:
        for line in self._control.makefile("r"):
            answer = self._holdings() if line.strip() == "holdings" else self._report()
            if line.strip() == "reset":
                self.reset()
            self._control.sendall(json.dumps(answer).encode() + b"\n")

    def _report(self) -> dict[str, Any]:
        places: Counter[str] = Counter()
        for samples in sorted(self._culprits.values(), key=len)[-3:]:
            places.update(samples)
        return {
            "worst_cpu_seconds": self._worst_cpu,
            "worst_wall_seconds": self._worst_wall,
            "cpu_of_worst_wall_seconds": self._cpu_of_worst_wall,
            "turns_over_limit": self._turns_over_limit,
            "worst_without_collector_seconds": self._worst_without_collector,
            "worst_collection": self._worst_collection,
            "resident_bytes": _resident_bytes(),
            "cpu_seconds": time.process_time(),
            "calibration_seconds": self._calibration_seconds,
            "statuses": dict(self.statuses),
            "culprits": [place for place, _ in places.most_common(4)],
        }

    def _holdings(self) -> dict[str, Any]:
        assert self._loop is not None

        async def look() -> tuple[Counter[str], int]:
            return _count_objects(), len(asyncio.all_tasks()) - 1

        # By the loop's own thread: the garbage keeper, which puts objects out of sight, has no turn meanwhile.
        counts, tasks = asyncio.run_coroutine_threadsafe(look(), self._loop).result(60)
        return {
            "objects": {name: count for name, count in counts.items() if is_watched(name)},
            "descriptors": len(os.listdir("/proc/self/fd")),
            "resident_bytes": _resident_bytes(),
            "tasks": tasks,
            "blocks": sys.getallocatedblocks(),
        }


def _count_objects() -> Counter[str]:
    gc.unfreeze()  # what is out of the collector's sight is not listed
    gc.collect()
    # No Python code may hold the list: see `cli.api_server.garbage`.
    kinds = Counter(map(type, chain.from_iterable(map(gc.get_objects, (None,)))))
    gc.freeze()
    counts: Counter[str] = Counter()
    for kind, count in kinds.items():
        counts[_name(kind)] += count
    return counts


def _resident_bytes() -> int:
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()


def _place(frame: FrameType) -> str:
    stack = traceback.extract_stack(frame)[-6:]
    return " < ".join(
        f"{os.path.basename(entry.filename)}:{entry.lineno} {entry.name}" for entry in stack[::-1]
    )


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
