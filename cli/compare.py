"""`framewise compare`: two analyses of one video beside each other."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from cli import text
from cli.printing import new_table, say
from cli.sessions import RemoteServer, signed_in
from cli.signals import Interruption
from settings import Settings

_MOST_LISTED = 20
_BAR_WIDTH = 40


async def compare_session(
    settings: Settings,
    analysis_ids: tuple[str, str],
    console: Console,
    interruption: Interruption,
    remote: RemoteServer | None,
) -> int:
    """Ask the server, and print what it says; the exit code.

    Raises:
        CliError: The server cannot be used, or refuses to compare these.
    """
    async with signed_in(settings, console, interruption, remote) as client:
        found = await client.compare(*analysis_ids)
    print_comparison(found, console)
    return 0


def print_comparison(found: Mapping[str, Any], console: Console) -> None:
    """Print the answer to `operations.COMPARE_ANALYSES`."""
    compared = found["compareAnalyses"]
    for letter in "AB":
        say(console, f"{letter}: {_described(found[letter.lower()])}")
    frames = compared["frames"]
    say(console, f"{frames:,} {text.plural('frame', frames)} that both looked at")
    console.print(_labels(compared))
    mean = compared["meanIou"]
    say(
        console,
        f"Agreement (F1 of the detections): {compared['agreement']:.1%}"
        + ("" if mean is None else f", mean IoU of what both found: {mean:.3f}"),
    )
    say(
        console,
        f"Tracks: {compared['matchedTrackCount']:,} in both, {compared['lostTrackCount']:,} only in A, "
        f"{compared['newTrackCount']:,} only in B",
    )
    for letter, name in (("A", "lostTrack"), ("B", "newTrack")):
        _print_tracks(console, letter, compared[f"{name}Ids"], compared[f"{name}Count"])
    _print_overlaps(console, compared["iouHistogram"])


def _described(analysis: Mapping[str, Any]) -> str:
    settings = analysis["settings"]
    parts = [
        analysis["video"]["filename"],
        settings["mlModel"]["name"],
        settings["tracker"],
        settings["mode"],
        f"stride {settings['frameStride']}",
        f"confidence from {settings['minConfidence']:g}",
    ]
    return ", ".join(parts)


def _labels(compared: Mapping[str, Any]) -> Table:
    table = new_table()
    table.add_column("Label", no_wrap=True)
    for title in ("Found by A", "by B", "by both", "of A", "of B", "Tracks of A", "of B"):
        table.add_column(title, justify="right")
    for label in compared["labels"]:
        a, b, both = label["detectionsA"], label["detectionsB"], label["matched"]
        table.add_row(
            label["label"], f"{a:,}", f"{b:,}", f"{both:,}", _share(both, a), _share(both, b),
            f"{label['tracksA']:,}", f"{label['tracksB']:,}",
        )  # fmt: skip
    if len(compared["labels"]) > 1:
        a, b, both = compared["detectionsA"], compared["detectionsB"], compared["matched"]
        table.add_section()
        table.add_row("all", f"{a:,}", f"{b:,}", f"{both:,}", _share(both, a), _share(both, b), "", "")
    return table


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _print_tracks(console: Console, letter: str, numbers: list[int], count: int) -> None:
    if not count:
        return
    shown = ", ".join(map(str, numbers[:_MOST_LISTED]))
    say(console, f"  only in {letter}: {shown}{', …' if count > _MOST_LISTED else ''}")


def _print_overlaps(console: Console, histogram: list[int]) -> None:
    """Pairs by IoU, as bars."""
    most = max(histogram)
    if not most:
        return
    say(console, "Pairs by overlap (IoU); those below 0.5 do not match:")
    for step, count in enumerate(histogram):
        bar = "█" * round(_BAR_WIDTH * count / most)
        say(
            console,
            f"  {step / len(histogram):.1f} to {(step + 1) / len(histogram):.1f} {count:>9,} {bar}".rstrip(),
        )
