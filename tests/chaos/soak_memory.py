"""Memory of a server's processes over time, and whether it grows."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.chaos.processes import Kind, Process

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MIB = 2**20

WATCHED = (Kind.API, Kind.WORKER, Kind.ANALYSIS)

LIMITS_MB_PER_HOUR: dict[Kind, float] = {Kind.API: 20.0, Kind.WORKER: 20.0, Kind.ANALYSIS: 60.0}
"""A slope up to this counts as flat.

A leak that would matter in a day of full load is 480 MB of API or worker. Analysis processes are replaced
when they grow, so theirs need only be small against that limit (512 MB since the first piece of work).
"""
FLAT_BYTES_PER_RUN = {Kind.API: 12 * 1024, Kind.WORKER: 12 * 1024, Kind.ANALYSIS: 40 * 1024}
"""Likewise for each analysis completed."""


def resident_bytes(pid: int) -> int | None:
    """Resident memory of a process now; None when it has ended."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return None


@dataclass(frozen=True)
class Reading:
    """Memory of one process at one moment."""

    seconds: float
    kind: Kind
    pid: int
    resident: int
    completed: int
    """Analyses completed so far."""


@dataclass
class Readings:
    """All readings of a run."""

    all: list[Reading] = field(default_factory=list)

    def take(self, seconds: float, processes: Iterable[Process], completed: int) -> None:
        """Read the memory of the watched kinds."""
        for process in processes:
            if process.kind in WATCHED and (resident := resident_bytes(process.pid)) is not None:
                self.all.append(Reading(seconds, process.kind, process.pid, resident, completed))

    def after(self, seconds: float) -> "Readings":
        """Those taken later than that."""
        return Readings([reading for reading in self.all if reading.seconds >= seconds])

    def series(self, kind: Kind) -> list[tuple[float, float, float]]:
        """Seconds, completed analyses and MB: at each moment the mean of the processes of a kind.

        A process that replaced another one takes its place, so a sum or a mean goes on over replacements.
        """
        moments: dict[float, list[Reading]] = defaultdict(list)
        for reading in self.all:
            if reading.kind is kind:
                moments[reading.seconds].append(reading)
        return [
            (seconds, group[0].completed, sum(one.resident for one in group) / len(group) / _MIB)
            for seconds, group in sorted(moments.items())
        ]

    def pids(self, kind: Kind) -> set[int]:
        return {reading.pid for reading in self.all if reading.kind is kind}


@dataclass(frozen=True)
class Trend:
    """What a straight line through the readings of a kind says."""

    kind: Kind
    first_mb: float
    last_mb: float
    most_mb: float
    mb_per_hour: float
    kb_per_analysis: float
    processes: int

    @property
    def is_flat(self) -> bool:
        """Whether one of both slopes is within its limit: short runs know one better than the other."""
        return (
            self.mb_per_hour <= LIMITS_MB_PER_HOUR[self.kind]
            or self.kb_per_analysis * 1024 <= FLAT_BYTES_PER_RUN[self.kind]
        )


def trend(readings: Readings, kind: Kind) -> Trend | None:
    """The line of least squares; None with too few readings."""
    series = readings.series(kind)
    if len(series) < 3:
        return None
    seconds, completed, megabytes = ([row[column] for row in series] for column in range(3))
    return Trend(
        kind=kind,
        first_mb=megabytes[0],
        last_mb=megabytes[-1],
        most_mb=max(megabytes),
        mb_per_hour=slope(seconds, megabytes) * 3600,
        kb_per_analysis=slope(completed, megabytes) * 1024,
        processes=len(readings.pids(kind)),
    )


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Of the line of least squares; 0 where x does not change."""
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0


def chart(series: Sequence[tuple[float, float, float]], width: int = 60) -> str:
    """One line of bars: memory over time, from the least to the most."""
    if not series:
        return ""
    values = [row[2] for row in series]
    buckets = [
        values[len(values) * column // width : max(len(values) * (column + 1) // width, 1)]
        for column in range(min(width, len(values)))
    ]
    if len(values) < width:
        buckets = [[value] for value in values]
    heights = [sum(bucket) / len(bucket) for bucket in buckets if bucket]
    low, high = min(heights), max(heights)
    span = max(high - low, 1e-9)
    return "".join("▁▂▃▄▅▆▇█"[min(int((height - low) / span * 8), 7)] for height in heights)
