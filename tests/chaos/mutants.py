"""Broken video files against a real server: none may take anything down, hang, or end without a reason.

Run as `python -m tests.chaos mutants`.
"""

import argparse
import asyncio
import contextlib
import os
import re
import secrets
import statistics
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.chaos.mutants_kinds import Mutant, make_mutant
from tests.chaos.mutants_run import SETTINGS, Outcome, Watch, run_mutants
from tests.chaos.mutants_sources import make_sources
from tests.e2e.server import running_server
from tests.tasks.plugin import install_plugin

_SLOWEST = 8
_ENDS = ("READY SUCCEEDED", "READY FAILED", "REJECTED FAILED", "REFUSED")


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    console = Console()
    console.print(f"seed {options.seed}, {options.count} mutants")
    with tempfile.TemporaryDirectory(prefix="framewise-mutants-", ignore_cleanup_errors=True) as folder:
        outcomes, violations = asyncio.run(_run(options, Path(folder), console))
    _print_kinds(console, outcomes)
    _print_slowest(console, outcomes)
    _print_reasons(console, outcomes)
    for outcome in outcomes:
        violations += [f"{outcome.mutant.name}: {violation}" for violation in outcome.violations]
    if options.keep is not None:
        _keep(options.keep, [outcome.mutant for outcome in outcomes if outcome.violations])
    for violation in violations:
        console.print(f"[red]✗[/] {violation}", highlight=False)
    if violations:
        console.print(f"[red]{len(violations)} violations[/]; again with --seed {options.seed}")
        return 1
    console.print(f"[green]✓[/] {len(outcomes)} broken files, each with its end and its reason")
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    shared = Path(__file__).resolve().parents[3] / "shared"
    parser = argparse.ArgumentParser(prog="python -m tests.chaos mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--only", type=int, nargs="+", help="these numbers of the seed alone")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="write the files that broke a rule into this folder")
    parser.add_argument("--log", type=Path, help="write the server's log there")
    parser.add_argument(
        "--media", type=Path, default=os.environ.get("FRAMEWISE_TEST_MEDIA", shared / "media")
    )
    return parser.parse_args(arguments)


async def _run(
    options: argparse.Namespace, directory: Path, console: Console
) -> tuple[list[Outcome], list[str]]:
    sources = await asyncio.to_thread(make_sources, options.media, directory / "sources")
    numbers = options.only or range(options.count)
    mutants = [make_mutant(options.seed, number, sources) for number in numbers]
    install_plugin(directory / "site")
    with running_server(directory, directory / "site", slots=options.slots, **SETTINGS) as server:
        api = await server.sign_up("mutants")
        watch = Watch.of(server)
        watching = asyncio.create_task(watch.look_for_ever())
        try:
            with _progress(console) as progress:
                task = progress.add_task("mutants", total=len(mutants), broken=0)

                def on_end(outcome: Outcome) -> None:
                    progress.update(task, advance=1)
                    if outcome.violations:
                        progress.console.print(f"[red]✗[/] {outcome.mutant.name}: {outcome.violations[0]}")

                outcomes = await run_mutants(api, mutants, directory / "mutants", on_end=on_end)
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
        violations = watch.violations()
        peaks = ", ".join(f"{kind} {peak / 2**20:.0f} MB" for kind, peak in sorted(watch.peak_bytes.items()))
        log = server.log.read_text(errors="replace")
    console.print(f"most memory: {peaks}; analysis processes: {len(watch.analysis_pids)}")
    console.print(f"tracebacks in the server's log: {log.count('Traceback (most recent call last)')}")
    if options.log is not None:
        options.log.write_text(log)
    return outcomes, violations


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


def _print_kinds(console: Console, outcomes: list[Outcome]) -> None:
    table = Table(title="Ends by kind", show_footer=True)
    ends = [*_ENDS, *sorted({outcome.end for outcome in outcomes} - set(_ENDS))]
    totals = Counter(outcome.end for outcome in outcomes)
    table.add_column("kind", footer="all")
    for end in ends:
        table.add_column(end, footer=str(totals[end]), justify="right")
    seconds = [outcome.seconds for outcome in outcomes]
    table.add_column("median s", footer=f"{statistics.median(seconds):.1f}", justify="right")
    table.add_column("worst s", footer=f"{max(seconds):.1f}", justify="right")
    for kind in dict.fromkeys(outcome.mutant.kind for outcome in outcomes):
        of_kind = [outcome for outcome in outcomes if outcome.mutant.kind == kind]
        counts = Counter(outcome.end for outcome in of_kind)
        times = [outcome.seconds for outcome in of_kind]
        shown = [str(counts[end] or "") for end in ends]
        table.add_row(kind, *shown, f"{statistics.median(times):.1f}", f"{max(times):.1f}")
    console.print(table)


def _print_slowest(console: Console, outcomes: list[Outcome]) -> None:
    table = Table("file", "end", "frames", "s", title="The slowest")
    for outcome in sorted(outcomes, key=lambda one: -one.seconds)[:_SLOWEST]:
        table.add_row(outcome.mutant.name, outcome.end, str(outcome.frames), f"{outcome.seconds:.1f}")
    console.print(table)


def _print_reasons(console: Console, outcomes: list[Outcome]) -> None:
    table = Table("times", "reason", "for example", title="Reasons", show_lines=True)
    reasons: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.end != "READY SUCCEEDED":
            reasons.setdefault(re.sub(r"\d+(\.\d+)?", "N", outcome.reason), []).append(outcome)
    for reason, found in sorted(reasons.items(), key=lambda item: -len(item[1])):
        table.add_row(str(len(found)), reason, found[0].mutant.name)
    console.print(table)


def _keep(folder: Path, mutants: list[Mutant]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for mutant in mutants:
        (folder / mutant.name).write_bytes(mutant.content)
