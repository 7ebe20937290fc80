"""The analysis process: all pixels, no database, no storage keys. Run as `python -m tasks.process.child`.

It reads requests from standard input and answers on standard output until its input ends. Whatever happens
to it, a segfault or a kill, takes down one piece of work and nothing else.
"""

import ctypes
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from tasks.process.protocol import Message, read_message

Report = Callable[[dict[str, Any]], None]
Job = Callable[[dict[str, Any], Sequence[bytes], Report], Message]

JOBS: dict[str, str] = {
    "warm": "tasks.process.warm:warm",
    "probe": "tasks.process.probe:probe_video",
    "scan": "tasks.process.probe:scan_video",
    "detect": "tasks.process.detect:detect_segment",
    "track": "tasks.process.track:track_segment",
    "summarise": "tasks.process.summarise:summarise",
}
"""Request kind → the function that does it, imported on first use."""

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """End this process when its parent ends: by the kernel on Linux, elsewhere by looking once a second."""
    parent = os.getppid()
    if sys.platform != "linux":
        threading.Thread(target=_leave_when_orphaned, args=(parent,), daemon=True).start()
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def limit_memory(limit_bytes: int) -> None:
    """Make allocations beyond the limit fail in this process, where the platform can."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Progress:
    """Sends progress at most every `interval_seconds`."""

    def __init__(self, output: BinaryIO, interval_seconds: float) -> None:
        self._output = output
        self._interval_seconds = interval_seconds
        self._next = 0.0

    def __call__(self, values: dict[str, Any]) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._interval_seconds
            _send(self._output, Message("progress", values))


def _send(output: BinaryIO, message: Message) -> None:
    output.write(message.encode())
    output.flush()


def _run(request: Message, report: Report) -> Message:
    module, _, name = JOBS[request.kind].partition(":")
    job: Job = getattr(importlib.import_module(module), name)
    try:
        return job(request.values, request.blobs, report)
    except MemoryError:
        return Message("error", {"error": "MemoryError", "message": "it ran out of memory"})
    except Exception as error:  # whatever a model raises is the answer to its request
        names = [base.__name__ for base in type(error).__mro__]
        return Message("error", {"error": type(error).__name__, "bases": names, "message": str(error)})


def serve(source: BinaryIO, output: BinaryIO, progress_interval_seconds: float) -> None:
    """Answer requests until the input ends."""
    while (request := read_message(source)) is not None:
        _send(output, _run(request, _Progress(output, progress_interval_seconds)))


def _leave_when_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Serve the worker that started this process."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    memory_bytes, progress_interval_seconds = int(sys.argv[1]), float(sys.argv[2])
    limit_memory(memory_bytes)
    source = os.fdopen(0, "rb")
    # Libraries may print: standard output is ours alone from here on, theirs goes to standard error.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(source, output, progress_interval_seconds)
    except (EOFError, BrokenPipeError):
        os._exit(0)


if __name__ == "__main__":
    main()
