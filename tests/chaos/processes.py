"""The processes of a server, as /proc shows them."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_DATABASE_SERVERS = ("valkey-server", "redis-server")


class Kind(StrEnum):
    """What a process of a server does."""

    SERVER = "server"
    API = "API"
    WORKER = "worker"
    ANALYSIS = "analysis process"
    VALKEY = "Valkey"
    POSTGRES = "PostgreSQL"
    OTHER = "other"


@dataclass(frozen=True)
class Process:
    """One process; `started` (ticks since boot) tells it from a later one with the same number."""

    pid: int
    started: int
    parent: int
    command: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        if "tasks.process.child" in self.command:
            return Kind.ANALYSIS
        if any(name in part for part in self.command for name in _DATABASE_SERVERS):
            return Kind.VALKEY
        if "cli" not in self.command[:-1]:
            return Kind.OTHER
        after = self.command[self.command.index("cli") + 1]
        return {"serve": Kind.SERVER, "api": Kind.API, "worker": Kind.WORKER}.get(after, Kind.OTHER)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; one that only waits to be reaped does not."""
        fields = _stat(self.pid)
        return fields is not None and fields[0] not in "ZX" and int(fields[19]) == self.started

    @property
    def age_seconds(self) -> float:
        """Time since it was started."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.started / _TICKS

    def cpu_seconds(self) -> float | None:
        """User and system time of all its threads so far; None when it has ended."""
        fields = _stat(self.pid)
        if fields is None or int(fields[19]) != self.started:
            return None
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def send(self, number: signal.Signals) -> bool:
        """Send a signal; False when it has ended."""
        if not self.is_alive:
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False


class Census:
    """Every process that ever belonged to a server: descendants of its roots, seen at each `look`.

    Args:
        mark: Text that the environment of the server's processes holds and of no other.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self._known: dict[tuple[int, int], Process] = {}
        self.roots: set[int] = set()
        self.seen: dict[tuple[int, int], Process] = {}
        self.alive: dict[int, Process] = {}

    def look(self) -> dict[int, Process]:
        """Look now; the processes of the server that live, by number."""
        table = self._table()
        family = {pid for pid in self.roots if pid in table}
        grown = True
        while grown:
            below = {pid for pid, process in table.items() if process.parent in family} - family
            grown = bool(below)
            family |= below
        self.alive = {pid: table[pid] for pid in family}
        for process in self.alive.values():
            self.seen[process.pid, process.started] = process
        return self.alive

    def of(self, kind: Kind) -> list[Process]:
        """Those of a kind that live now, oldest first."""
        found = [process for process in self.look().values() if process.kind is kind]
        return sorted(found, key=lambda process: (process.started, process.pid))

    def left_over(self) -> list[Process]:
        """Processes that were ever seen, or that bear the mark, and still live."""
        found = {key: process for key, process in self.seen.items() if process.is_alive}
        for process in self._table().values():
            with suppress(OSError):
                if self._mark in Path(f"/proc/{process.pid}/environ").read_bytes():
                    found[process.pid, process.started] = process
        return list(found.values())

    def _table(self) -> dict[int, Process]:
        table: dict[int, Process] = {}
        for name in os.listdir("/proc"):
            if not name.isdecimal():
                continue
            pid = int(name)
            fields = _stat(pid)
            if fields is None or fields[0] in "ZX":
                continue
            parent, started = int(fields[1]), int(fields[19])
            known = self._known.get((pid, started))
            # A process may still become another program; one of ours is asked until its kind is known.
            if known is None or known.parent != parent or known.kind is Kind.OTHER:
                known = Process(pid, started, parent, _command(pid))
                self._known[pid, started] = known
            table[pid] = known
        return table


def _stat(pid: int) -> list[str] | None:
    """The fields after the name: state, parent, …"""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split() or None
    except (OSError, ValueError):
        return None


def _command(pid: int) -> tuple[str, ...]:
    try:
        return tuple(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1])
    except OSError:
        return ()
