"""What several commands take, and how they print."""

import math
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_OF_PLAIN_OUTPUT = 120


class TrackerName(Enum):
    """The trackers, as they are typed."""

    NONE = "none"
    SORT = "sort"
    BYTE_TRACK = "byte-track"
    OC_SORT = "oc-sort"
    BOT_SORT = "bot-sort"


class AnchorName(Enum):
    """The points of a box that can count, as they are typed."""

    BOTTOM_CENTER = "bottom-center"
    CENTER = "center"


def finite(value: float | None) -> float | None:
    """The value of an option, unless it is no number that can be reckoned with."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("must be a finite number.")
    return value


DataDir = Annotated[
    Path | None,
    typer.Option(
        show_default="FRAMEWISE_DATA_DIR, or a folder of your account",
        help="Folder of everything the server keeps.",
    ),
]
Host = Annotated[str | None, typer.Option(show_default="127.0.0.1", help="Address to listen on.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, show_default="8000", help="Port to listen on; 0: a free one.")
]
Slots = Annotated[
    int | None,
    typer.Option(min=1, show_default="one for each CPU core", help="Parts of videos analysed at once."),
]
Mirror = Annotated[
    str | None,
    typer.Option(show_default="FRAMEWISE_WEIGHTS_MIRROR", help="A folder or URL that has the weights."),
]


def make_console(*, stderr: bool = False) -> "Console":
    """A console that keeps to its width where it is no terminal."""
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_PLAIN_OUTPUT
    return console
