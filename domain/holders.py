"""Who holds a lease: a process, named so that others on its machine can tell whether it still lives."""

import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

_SEPARATOR = "/"


@cache
def _machine() -> str:
    """A name of the set of processes that one can see: the boot of the kernel, and the PID namespace."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}"
    return socket.gethostname().replace(_SEPARATOR, "-")[:64]


def _started(pid: int) -> str | None:
    """When a process started, in ticks since boot; empty where that cannot be known, None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() or not process_exists(pid) else ""
    except OSError:
        return ""
    # The name in parentheses may hold anything; the state is the first field after it.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def process_exists(pid: int) -> bool:
    """Whether there is a process of this id, if only one that waits to be reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def this_process() -> str:
    """The name of this process as a holder."""
    pid = os.getpid()
    return _SEPARATOR.join((_machine(), str(pid), _started(pid) or ""))


def is_dead(holder: str) -> bool:
    """Whether that process has certainly ended; False for one of another machine."""
    machine, _, rest = holder.partition(_SEPARATOR)
    pid, _, started = rest.partition(_SEPARATOR)
    if machine != _machine() or not pid.isdecimal():
        return False
    now = _started(int(pid))
    return now is None or (bool(started) and bool(now) and now != started)
