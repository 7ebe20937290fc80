"""Lines and tables on a terminal."""

from rich import box
from rich.console import Console
from rich.table import Table


def say(console: Console, line: str, style: str | None = None) -> None:
    """Print a line as it is: nothing in it is markup, and it is not broken."""
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def new_table(caption: str | None = None) -> Table:
    """A table without columns, as all commands show theirs."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", caption=caption)
