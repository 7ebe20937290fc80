"""A server at full load for a long time: whether the memory of its processes stays what it is.

Run as `python -m tests.chaos soak --minutes 30`.
"""

import argparse
import asyncio
import csv
import os
import random
import secrets
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.chaos.client import PatientApi
from tests.chaos.processes import Census, Kind
from tests.chaos.soak_load import Load, be_a_person, browse, listen_in_turns
from tests.chaos.soak_memory import LIMITS_MB_PER_HOUR, WATCHED, Readings, Trend, chart, trend
from tests.e2e.server import Server, running_server

_SAMPLE_SECONDS = 2.0
_PERSONS = 3
_AT_ONCE_EACH = 2
_LISTENERS_EACH = 3
_WARM_UP_SHARE = 0.2
SETTINGS: dict[str, object] = {"access_token_seconds": 86400, "housekeeping_interval_seconds": 60}


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    console = Console()
    warm_up = options.warm_up_minutes or options.minutes * _WARM_UP_SHARE
    console.print(f"seed {options.seed}, {options.minutes:g} minutes, the first {warm_up:g} to warm up")
    with tempfile.TemporaryDirectory(prefix="framewise-soak-", ignore_cleanup_errors=True) as folder:
        readings, load, violations = asyncio.run(_run(options, Path(folder), console))
    _write(options.csv, readings)
    console.print(", ".join(f"{name} {count}" for name, count in sorted(load.done.items())), highlight=False)
    violations += _print_trends(console, readings, readings.after(warm_up * 60))
    violations += [f"an analysis failed: {problem}" for problem in load.problems]
    for violation in violations:
        console.print(f"[red]✗[/] {violation}", highlight=False)
    if not violations:
        console.print(f"[green]✓[/] flat after {load.completed} analyses; readings in {options.csv}")
    return 1 if violations else 0


def _options(arguments: list[str]) -> argparse.Namespace:
    shared = Path(__file__).resolve().parents[3] / "shared"
    parser = argparse.ArgumentParser(prog="python -m tests.chaos soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--warm-up-minutes", type=float, help="by default a fifth of it all")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--csv", type=Path, default=Path(tempfile.gettempdir()) / "framewise-soak.csv")
    parser.add_argument("--log", type=Path, help="write the server's log there")
    parser.add_argument(
        "--media", type=Path, default=os.environ.get("FRAMEWISE_TEST_MEDIA", shared / "media")
    )
    parser.add_argument(
        "--weights", type=Path, default=os.environ.get("FRAMEWISE_TEST_WEIGHTS", shared / "models")
    )
    return parser.parse_args(arguments)


async def _run(
    options: argparse.Namespace, directory: Path, console: Console
) -> tuple[Readings, Load, list[str]]:
    load = Load(random.Random(options.seed), options.media, directory)
    readings = Readings()
    settings = {**SETTINGS, "slots": options.slots, "weights_mirror": options.weights}
    with running_server(directory, **settings) as server:
        tasks = [asyncio.create_task(work) for work in await _persons(server, load)]
        try:
            violations = await _watch(options.minutes * 60, server, load, readings, tasks, console)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        log = server.log.read_text(errors="replace")
    console.print(f"tracebacks in the server's log: {log.count('Traceback (most recent call last)')}")
    if options.log is not None:
        options.log.write_text(log)
    return readings, load, violations


async def _persons(server: Server, load: Load) -> list[Coroutine[Any, Any, None]]:
    stranger = PatientApi(server.url)
    work = []
    for number in range(_PERSONS):
        api = await stranger.sign_up(f"person{number}")
        work += [be_a_person(load, api) for _ in range(_AT_ONCE_EACH)]
        work += [listen_in_turns(load, api) for _ in range(_LISTENERS_EACH)]
        work.append(browse(load, api))
    await stranger.aclose()
    return work


async def _watch(
    duration_seconds: float,
    server: Server,
    load: Load,
    readings: Readings,
    tasks: list[asyncio.Task[None]],
    console: Console,
) -> list[str]:
    """Read memory until the time is over, or somebody's work ends by an error."""
    census = Census(f"={server.data_dir}/")
    census.roots = {server.process.pid}
    steady = {kind: {process.pid for process in census.of(kind)} for kind in (Kind.API, Kind.WORKER)}
    began = time.monotonic()
    columns = (
        TextColumn("{task.fields[done]} analyses"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        shown = progress.add_task("soak", total=duration_seconds, done=0)
        while (seconds := time.monotonic() - began) < duration_seconds:
            readings.take(seconds, census.look().values(), load.completed)
            progress.update(shown, completed=seconds, done=load.completed)
            for task in tasks:
                if task.done():
                    return [f"somebody's work ended: {task.exception()!r}"]
            await asyncio.sleep(_SAMPLE_SECONDS)
    return [
        f"the {kind} was restarted: {sorted(pids)} before, {sorted(readings.pids(kind))} seen"
        for kind, pids in steady.items()
        if readings.pids(kind) != pids
    ]


def _write(path: Path, readings: Readings) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("seconds", "kind", "pid", "resident_bytes", "completed_analyses"))
        for one in readings.all:
            writer.writerow((f"{one.seconds:.1f}", one.kind, one.pid, one.resident, one.completed))


def _print_trends(console: Console, whole: Readings, warm: Readings) -> list[str]:
    table = Table(title="Memory after warm-up (mean of the processes of a kind)")
    for column in (
        "process",
        "first MB",
        "last",
        "most",
        "MB an hour",
        "limit",
        "KB an analysis",
        "pids",
        "",
    ):
        table.add_column(column, justify="right" if column not in ("process", "") else "left")
    violations = []
    for kind in WATCHED:
        found = trend(warm, kind)
        if found is None:
            violations.append(f"too few readings of the {kind}")
            continue
        table.add_row(*_row(found))
        if not found.is_flat:
            violations.append(f"the {kind} grows by {found.mb_per_hour:.0f} MB an hour")
    console.print(table)
    for kind in WATCHED:
        console.print(f"{kind:<17} {chart(whole.series(kind))}", highlight=False)
    return violations


def _row(found: Trend) -> tuple[str, ...]:
    return (
        found.kind,
        f"{found.first_mb:.0f}",
        f"{found.last_mb:.0f}",
        f"{found.most_mb:.0f}",
        f"{found.mb_per_hour:+.1f}",
        f"{LIMITS_MB_PER_HOUR[found.kind]:.0f}",
        f"{found.kb_per_analysis:+.1f}",
        str(found.processes),
        "flat" if found.is_flat else "grows",
    )
