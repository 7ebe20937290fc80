"""The analysis process: all pixels, no database, no storage keys. Run as `python -m tasks.process.child`.

It reads requests from standard input and answers on standard output until its input ends. Whatever happens
to it, a segfault or a kill, takes down one piece of work and nothing else.
"""

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from tasks.process.network import forbid_network
from tasks.process.protocol import Message, read_message
from tasks.process.report import Report, send
from tasks.process.stop import STOPPED, Stopper

Job = Callable[[dict[str, Any], Sequence[bytes], Report], Message]

JOBS: dict[str, str] = {
    "warm": "tasks.process.warm:warm",
    "probe": "tasks.process.probe:probe_video",
    "scan": "tasks.process.probe:scan_video",
    "detect": "tasks.process.detect:detect_segment",
    "track": "tasks.process.track:track_segment",
    "get_ready_to_check": "tasks.process.check_model:get_ready",
    "check_model": "tasks.process.check_model:check_model",
    "compare_begin": "tasks.process.compare:begin",
    "compare_add": "tasks.process.compare:add",
    "compare_result": "tasks.process.compare:result",
    "identify": "tasks.process.identify:identify",
    "get_ready_for_photos": "tasks.process.photo:get_ready",
    "find_faces": "tasks.process.photo:find_faces",
    "summarise": "tasks.process.summarise:summarise",
}
"""Request kind → the function that does it, imported on first use."""

_PR_SET_PDEATHSIG = 1
_NICENESS = 10
_MOST_KILLABLE = "1000"
_OUT_OF_MEMORY_WORDS = ("bad_alloc", "insufficient memory", "failed to allocate memory")
"""How native libraries say it in errors of their own."""


def die_with_parent() -> None:
    """End this process when its parent ends: by the kernel on Linux, elsewhere by looking once a second."""
    os.register_at_fork(after_in_child=_die_with_parent)
    _die_with_parent()


def _die_with_parent() -> None:
    parent = os.getppid()
    if sys.platform != "linux":
        threading.Thread(target=_leave_when_orphaned, args=(parent,), daemon=True).start()
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def give_way() -> None:
    """Leave the processor to whoever answers people and supervises work, as long as they want it."""
    os.nice(_NICENESS)


def limit_memory(limit_bytes: int) -> None:
    """Make allocations beyond the limit fail in this process, where the platform can."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def be_killed_first() -> None:
    """Let a machine that runs out of memory end this process rather than one that cannot be replaced."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_MOST_KILLABLE)


def serve(source: BinaryIO, output: BinaryIO, progress_interval_seconds: float, stopper: Stopper) -> None:
    """Answer requests until the input ends; they are numbered from 1 in the order they come."""
    number = 0
    while (request := read_message(source)) is not None:
        number += 1
        report = Report(output, progress_interval_seconds, stopper)
        answer = stopper.run(number, partial(_answer, request, report))
        if answer.kind == STOPPED:
            # A file whose opening was cut short is in nobody's hands, but refers to itself.
            gc.collect()
        send(output, answer)


def _answer(request: Message, report: Report) -> Message:
    try:
        with report.indivisible():
            module, _, name = JOBS[request.kind].partition(":")
            job: Job = getattr(importlib.import_module(module), name)
        return job(request.values, request.blobs, report)
    except Exception as error:  # whatever a model raises is the answer to its request
        names = [base.__name__ for base in type(error).__mro__]
        if _is_out_of_memory(error, names):
            return Message("error", {"error": "MemoryError", "bases": ["MemoryError"], "message": ""})
        return Message("error", {"error": names[0], "bases": names, "message": str(error)})


def _is_out_of_memory(error: Exception, names: Sequence[str]) -> bool:
    if "MediaError" in names:  # a file that asks for absurd sizes, not a want of memory
        return False
    return any(
        isinstance(cause, MemoryError) or any(words in str(cause).lower() for words in _OUT_OF_MEMORY_WORDS)
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _leave_when_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Serve the worker that started this process."""
    die_with_parent()
    options = json.loads(sys.argv[1])
    stopper = Stopper(options["stop_descriptor"])
    os.set_inheritable(options["stop_descriptor"], False)
    stopper.listen()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    be_killed_first()
    give_way()
    limit_memory(options["memory_bytes"])
    if not options["network"]:
        forbid_network()
    source = os.fdopen(0, "rb")
    # Libraries may print: standard output is ours alone from here on, theirs goes to standard error.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    faulthandler.enable()
    try:
        serve(source, output, options["progress_interval_seconds"], stopper)
    except (EOFError, BrokenPipeError):
        os._exit(0)


if __name__ == "__main__":
    main()
