"""What every chaos command may be told on its command line."""

import argparse
import asyncio
import os
import secrets
import signal
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


def chaos_parser(command: str, description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all commands share; each adds its own."""
    shared = REPOSITORY.parent / "shared"
    parser = argparse.ArgumentParser(prog=f"make chaos CHAOS='{command} …'", description=description)
    parser.add_argument(
        "--seed", type=int, help="what random choices begin with; by default a new one, shown"
    )
    parser.add_argument("--minutes", type=float, default=15.0, help="no new trouble is made after so long")
    parser.add_argument("--slots", type=int, default=2, help="slots of the worker")
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")
    parser.add_argument(
        "--media", type=Path, default=os.environ.get("FRAMEWISE_TEST_MEDIA", shared / "media"), help="clips"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        default=os.environ.get("FRAMEWISE_TEST_WEIGHTS", shared / "models"),
        help="weights of the models",
    )
    database = parser.add_mutually_exclusive_group()
    database.add_argument("--database-url", default="", help="an empty database to use instead of SQLite")
    database.add_argument("--postgres", action="store_true", help="use a PostgreSQL that is started here")
    return parser


def parse(parser: argparse.ArgumentParser, arguments: list[str]) -> argparse.Namespace:
    """The options, with a seed in any case."""
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = secrets.randbelow(2**31)
    for needed in (options.media, options.weights):
        if not needed.is_dir():
            parser.error(f"{needed} is missing: give --media and --weights")
    return options


@contextmanager
def working_folder(keep: Path | None) -> Iterator[Path]:
    """A folder to work in; short, for sockets lie below it, and open to the user that PostgreSQL runs as."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise SystemExit(f"{keep} is not empty")
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="framewise-chaos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def run_to_end(main: Coroutine[Any, Any, int]) -> int:
    """Run a command; SIGTERM and Ctrl-C cancel it, so that it ends what it started."""

    async def cancellable() -> int:
        task = asyncio.ensure_future(main)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await task

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        return 130
