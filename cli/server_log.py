"""What the processes of a server say, on the console and in a file."""

import logging
from datetime import datetime
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from cli.data_files import server_log_file

_NAME_WIDTH = 8
_NAME_STYLES = {"api": "cyan", "worker": "green", "valkey": "magenta", "migrate": "blue", "server": "bold"}
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_LEVEL_STYLES = {30: "yellow", 40: "red", 50: "bold red"}


class ServerLog:
    """Prints lines and events under a short prefix, plain if the console is not a terminal.

    Args:
        console: Where to print.
        level: The least level to print. A line starts with the name of its level; lines that do not, like
            those of a traceback, belong to the line before.
        file: Gets everything as well.
    """

    def __init__(
        self,
        console: Console,
        *,
        level: int = logging.INFO,
        file: TextIO | None = None,
    ) -> None:
        self._console = console
        self._level = level
        self._file = file
        self._last_levels: dict[str, int] = {}

    def line(self, name: str, text: str) -> None:
        """Show one line that the process `name` wrote."""
        level = _LEVELS.get(text.split(" ", 1)[0], self._last_levels.get(name, logging.INFO))
        self._last_levels[name] = level
        self._show(name, text, level, _LEVEL_STYLES.get(level, ""))

    def event(self, name: str, text: str, level: int) -> None:
        """Show what happened to the process `name`."""
        self._show(name, text, level, _LEVEL_STYLES.get(level, "bold"))

    def _show(self, name: str, text: str, level: int, style: str) -> None:
        time = datetime.now().astimezone().strftime("%H:%M:%S")
        if self._file is not None:
            print(f"{time} {name:{_NAME_WIDTH}} {text}", file=self._file, flush=True)
        if level < self._level:
            return
        shown = Text.assemble(
            (time, "dim"), " ", (f"{name:{_NAME_WIDTH}}", _NAME_STYLES.get(name, "")), " ", (text, style)
        )
        self._console.print(shown, soft_wrap=True)


def open_log_file(data_dir: Path) -> TextIO:
    """A new file for what the processes of a server say, in place of the one of the last run."""
    path = server_log_file(data_dir)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.open("w", encoding="utf-8")
