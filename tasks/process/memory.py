"""How much memory a process takes, where the platform tells."""

import os
from pathlib import Path

_DATA_FIELD = b"VmData:"


def data_bytes(pid: int) -> int | None:
    """What counts towards the memory limit of a process; None if it cannot be known."""
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith(_DATA_FIELD):
            return int(line.split()[1]) * 1024
    return None


def resident_bytes(pid: int) -> int | None:
    """Memory of a process that lies in RAM; None if it cannot be known."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_bytes().split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
