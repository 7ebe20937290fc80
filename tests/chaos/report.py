"""What is shown while chaos runs, and at its end."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tests.chaos.killer import Strike
from tests.chaos.verdict import Verdict

_LINE_SECONDS = 10.0


async def show_progress(console: Console, line: Callable[[], str]) -> None:
    """Show `line` until cancelled: in place on a terminal, now and then elsewhere."""
    if not console.is_terminal:
        while True:
            await asyncio.sleep(_LINE_SECONDS)
            console.print(line())
    with Live(Text(line()), console=console, refresh_per_second=4, transient=True) as live:
        while True:
            live.update(Text(line()))
            await asyncio.sleep(0.25)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def strikes_table(strikes: Sequence[Strike]) -> Table:
    """How often each kind was hit, and how long work took to resume."""
    table = Table(title="From kill to work resumed, in seconds")
    for column in ("what was ended", "times", "median", "p90", "worst", "overtaken", "never"):
        table.add_column(column, justify="left" if column.startswith("what") else "right")
    for name in sorted({strike.name for strike in strikes}):
        mine = [strike for strike in strikes if strike.name == name]
        _add_row(table, name, mine)
    table.add_section()
    _add_row(table, "all", strikes)
    return table


def recovery_seconds(strikes: Sequence[Strike]) -> list[float]:
    """The times of all that were recovered from before the next strike."""
    return [strike.seconds for strike in strikes if strike.seconds is not None]


def _add_row(table: Table, name: str, strikes: Sequence[Strike]) -> None:
    times = recovery_seconds(strikes)
    figures = [statistics.median(times), percentile(times, 0.9), max(times)] if times else []
    table.add_row(
        name,
        str(len(strikes)),
        *([f"{figure:.2f}" for figure in figures] or ["-"] * 3),
        str(sum(strike.overtaken for strike in strikes)),
        str(sum(strike.lost for strike in strikes)),
    )


def verdict_table(verdict: Verdict) -> Table:
    """Each check with its outcome."""
    table = Table(title="Verdict", show_header=False)
    for check in verdict.checks:
        outcome = "[green]yes" if check.ok else "[yellow]missed" if check.is_aim else "[bold red]NO"
        table.add_row(outcome, check.name, Text(check.detail))
    return table


def facts(**values: object) -> Group:
    """Lines of `name: value`."""
    return Group(*(Text(f"{name.replace('_', ' ')}: {value}") for name, value in values.items()))


class Stopwatch:
    """Time since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def __str__(self) -> str:
        return f"{int(self.seconds) // 60}:{int(self.seconds) % 60:02}"
