"""What `framewise analyze` and `framewise demo` do from start to end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cli.analyze import analyze, prepare
from cli.analyze_options import AnalyzeOptions
from cli.banner import print_banner
from cli.client import FramewiseClient, Login
from cli.credentials import sign_in_locally
from cli.data_files import demo_dir, server_log_file
from cli.errors import CliError, DataDirInUseError
from cli.serve import make_data_dir, running_server, until_signal
from cli.server_discovery import RunningServer, ServerUse, find_local_server, is_locked
from cli.server_log import ServerLog, open_log_file
from cli.signals import Interruption
from settings import Settings

_OTHER_SERVER_SECONDS = 30.0


@dataclass(frozen=True)
class RemoteServer:
    """A server that is not ours, and who we are there."""

    url: str
    login: Login | None = None
    access_token: str | None = None


async def analyze_session(
    settings: Settings,
    options: AnalyzeOptions,
    console: Console,
    interruption: Interruption,
    remote: RemoteServer | None,
) -> int:
    """Analyse videos on a given server, on the one that runs on the data folder, or on one of our own."""
    board, outputs = prepare(options)
    if all(row.stage.is_over for row in board):
        raise CliError("\n".join(f"{row.path}: {row.error}" for row in board))
    async with signed_in(settings, console, interruption, remote) as client:
        return await analyze(client, options, board, outputs, console)


@asynccontextmanager
async def signed_in(
    settings: Settings, console: Console, interruption: Interruption, remote: RemoteServer | None
) -> AsyncIterator[FramewiseClient]:
    """A client of a given server, of the one that runs on the data folder, or of one of our own."""
    if remote is not None:
        client = FramewiseClient(remote.url, login=remote.login, access_token=remote.access_token)
        async with client:
            if remote.access_token is None:
                await client.sign_in()
            yield client
        return
    async with (
        _local_server(settings, console, interruption) as server,
        FramewiseClient(server.url) as client,
    ):
        await sign_in_locally(client, settings)
        yield client


async def demo_session(
    settings: Settings, videos: tuple[Path, ...], console: Console, interruption: Interruption
) -> int:
    """Run a server, analyse videos or a clip of our own, and keep serving until a signal."""
    board, outputs = prepare(AnalyzeOptions(videos=videos))
    missing = [row for row in board if row.stage.is_over]
    if missing:
        raise CliError("\n".join(f"{row.path}: {row.error}" for row in missing), 2)
    log = ServerLog(console, level=logging.WARNING)
    try:
        async with AsyncExitStack() as stack:
            with _busy(console, "Starting the server …"):
                server = await stack.enter_async_context(running_server(settings, log, interruption))
            if not videos:
                with _busy(console, "No VIDEO was given: making a short clip to show what happens …"):
                    clip = await asyncio.to_thread(_demo_clip, demo_dir(settings.data_dir))
                board, outputs = prepare(AnalyzeOptions(videos=(clip,)))
            options = AnalyzeOptions(videos=tuple(row.path for row in board))
            async with FramewiseClient(server.url) as client:
                login = await sign_in_locally(client, settings)
                await analyze(client, options, board, outputs, console)
            print_banner(console, settings, server.url, username=login.username)
            await until_signal(console)
    except asyncio.CancelledError:
        console.print("Stopped.", style="bold")
    return 0


def _demo_clip(directory: Path) -> Path:
    from cli.demo_clip import demo_clip

    return demo_clip(directory)


@asynccontextmanager
async def _local_server(
    settings: Settings, console: Console, interruption: Interruption
) -> AsyncIterator[RunningServer]:
    """The server that runs on the data folder, or one of our own that ends with us."""
    make_data_dir(settings.data_dir)
    use = ServerUse(settings.data_dir)
    try:
        while True:
            found = await _begin_use(use, settings.data_dir)
            if found is not None:
                console.print(f"Using the server at {found.url}.", style="dim")
                yield found
                return
            try:
                async with _embedded_server(settings, console, interruption) as server:
                    try:
                        yield server
                    finally:
                        if interruption.signal_number is None:
                            await _wait_for_others(use, console)
                return
            except DataDirInUseError:
                continue  # another command was quicker: use its server
    finally:
        use.end()


async def _begin_use(use: ServerUse, data_dir: Path) -> RunningServer | None:
    """The running server, None if there is none; waits for one that is just starting or stopping."""
    deadline = asyncio.get_running_loop().time() + _OTHER_SERVER_SECONDS
    while True:
        if use.begin():
            found = await find_local_server(data_dir)
            if found is not None or not is_locked(data_dir):
                return found
        if asyncio.get_running_loop().time() > deadline:
            raise CliError(f"The server on {data_dir} does not answer: look at {server_log_file(data_dir)}.")
        await asyncio.sleep(0.2)


async def _wait_for_others(use: ServerUse, console: Console) -> None:
    if use.is_last():
        return
    with _busy(console, "Others still use this server; it stops when they are done, or with Ctrl-C …"):
        while not use.is_last():  # noqa: ASYNC110 - other processes let go, which sets no event
            await asyncio.sleep(0.2)


@asynccontextmanager
async def _embedded_server(
    settings: Settings, console: Console, interruption: Interruption
) -> AsyncIterator[RunningServer]:
    with open_log_file(settings.data_dir) as file:
        log = ServerLog(console, level=logging.ERROR, file=file)
        private = settings.model_copy(update={"host": "127.0.0.1", "port": 0})
        async with AsyncExitStack() as stack:
            with _busy(console, "Starting a server for this analysis …"):
                server = await stack.enter_async_context(running_server(private, log, interruption))
            yield server


@contextmanager
def _busy(console: Console, what: str) -> Iterator[None]:
    """Say what is waited for: with a spinner that goes away, or in a plain line."""
    if console.is_terminal:
        with console.status(what, spinner_style="cyan"):
            yield
    else:
        console.print(what)
        yield
