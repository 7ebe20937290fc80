"""Small real child processes, and questions about processes."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 90.0
REPOSITORY = Path(__file__).resolve().parents[2]

SLEEPER = "import time; print('up', flush=True); time.sleep(1000)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(1000)"
# Says who it is and starts a child of its own, which ignores every polite request to end.
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}])
print("grandchild", child.pid, flush=True)
time.sleep(1000)
"""


def python(program: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program, *arguments)


def is_running(pid: int) -> bool:
    """Whether the process exists and is not a zombie that only waits to be reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc").is_dir()


async def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"did not happen: {what}"
        await asyncio.sleep(0.02)


def eventually_sync(condition: Callable[[], object], what: str) -> None:
    asyncio.run(eventually(condition, what))
