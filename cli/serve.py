"""A whole server on this machine: Valkey, API and worker on one data folder."""

import asyncio
import errno
import os
import site
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from rich.console import Console

from cli import valkey
from cli.banner import print_banner
from cli.children import ChildSpec
from cli.data_files import server_file
from cli.errors import ServeError
from cli.logs import level_number
from cli.server_discovery import (
    DataDirLock,
    RunningServer,
    is_healthy,
    read_server_file,
    write_server_file,
)
from cli.server_log import ServerLog
from cli.signals import Interruption
from cli.supervisor import Plan, Supervisor
from settings import Settings

_LISTEN_BACKLOG = 2048
_WORKER_SETTLE_SECONDS = 1.0
_IN_USE = {errno.EADDRINUSE}
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared, not bound to


async def serve_session(settings: Settings, console: Console, interruption: Interruption) -> int:
    """Run a server until a signal; the exit code."""
    log = ServerLog(console, level=level_number(settings.log_level))
    try:
        async with running_server(settings, log, interruption) as server:
            print_banner(console, settings, server.url)
            await until_signal(console)
    except asyncio.CancelledError:
        console.print("Stopped.", style="bold")
    return 0


async def until_signal(console: Console) -> None:
    """Wait to be cancelled, and say so."""
    try:
        await asyncio.Event().wait()
    finally:
        console.print("Stopping … (Ctrl-C again ends everything at once)", style="bold")


@asynccontextmanager
async def running_server(
    settings: Settings, log: ServerLog, interruption: Interruption
) -> AsyncIterator[RunningServer]:
    """Start a server, give its address once it is ready, and stop it at the end.

    Args:
        settings: What the server runs with; port 0 picks a free one.
        log: Gets what the processes say and what happens to them.
        interruption: Told how to end the processes at once.

    Raises:
        ServeError: The folder or the port is in use, or a process cannot be started.
    """
    data_dir = make_data_dir(settings.data_dir)
    lock = DataDirLock(data_dir)
    lock.acquire()
    try:
        with _listen(settings.host, settings.port) as listener:
            port = listener.getsockname()[1]
            server = RunningServer(url=server_url(settings.host, port), pid=os.getpid())
            async with _processes(
                settings.model_copy(update={"port": port}), listener, server, log, interruption
            ):
                write_server_file(data_dir, server)
                try:
                    yield server
                finally:
                    _remove_server_file(data_dir)
    finally:
        lock.release()


@asynccontextmanager
async def _processes(
    settings: Settings,
    listener: socket.socket,
    server: RunningServer,
    log: ServerLog,
    interruption: Interruption,
) -> AsyncIterator[None]:
    valkey_socket = None if settings.redis_url else valkey.socket_path(settings.data_dir)
    plan = server_plan(settings, listener.fileno(), server.url, valkey_socket)
    supervisor = Supervisor(plan, log.line, log.event)
    interruption.at_once.append(supervisor.kill)
    try:
        await supervisor.start()
        yield
    finally:
        await supervisor.stop()
        interruption.at_once.remove(supervisor.kill)
        if valkey_socket is not None:
            valkey.remove_socket(valkey_socket, settings.data_dir)


def server_plan(settings: Settings, listen_fd: int, url: str, valkey_socket: Path | None) -> Plan:
    """What runs: Valkey on `valkey_socket` unless that is None, the migrations, the API and the worker.

    Raises:
        ServeError: There is no Valkey to run.
    """
    redis_url = settings.redis_url if valkey_socket is None else valkey.redis_url(valkey_socket)
    environment = _environment(settings, redis_url)
    foundation = () if valkey_socket is None else (_valkey(valkey_socket, settings.data_dir, environment),)
    api = ChildSpec(
        name="api",
        command=framewise_command("api", "--listen-fd", str(listen_fd)),
        environment=environment,
        inherited_fds=(listen_fd,),
        is_ready=lambda: is_healthy(url),
    )
    worker = ChildSpec(
        "worker", framewise_command("worker"), environment, settle_seconds=_WORKER_SETTLE_SECONDS
    )
    migrate = ChildSpec("migrate", framewise_command("migrate"), environment)
    return Plan(foundation=foundation, preparation=(migrate,), services=(api, worker))


def framewise_command(*arguments: str) -> tuple[str, ...]:
    """The command line that runs `framewise` with this Python."""
    return (sys.executable, "-m", "cli", *arguments)


def server_url(host: str, port: int) -> str:
    """The address under which this machine reaches a server that listens on `host`."""
    host = _ANY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _valkey(valkey_socket: Path, data_dir: Path, environment: dict[str, str]) -> ChildSpec:
    directory = data_dir.absolute() / "valkey"
    directory.mkdir(mode=0o700, exist_ok=True)
    log = valkey.log_path(directory)
    log.unlink(missing_ok=True)
    return ChildSpec(
        name="valkey",
        command=valkey.server_command(valkey.find_server_program(), valkey_socket, directory),
        environment=environment,
        is_ready=lambda: valkey.is_answering(valkey_socket),
        log_file=log,
    )


def _environment(settings: Settings, redis_url: str) -> dict[str, str]:
    environment = {
        **os.environ,
        "FRAMEWISE_DATA_DIR": str(settings.data_dir.absolute()),
        "FRAMEWISE_REDIS_URL": redis_url,
        "FRAMEWISE_HOST": settings.host,
        "FRAMEWISE_PORT": str(settings.port),
        "FRAMEWISE_SLOTS": str(settings.slots),
        "PYTHONUNBUFFERED": "1",
        # Names like `settings` and `tasks` must not be looked up in the folder the user happens to be in.
        "PYTHONSAFEPATH": "1",
    }
    root = str(Path(__file__).resolve().parent.parent)
    if root not in [*site.getsitepackages(), site.getusersitepackages()]:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH"))))
    return environment


def make_data_dir(data_dir: Path) -> Path:
    """The data folder, made for this account only if it is missing.

    Raises:
        ServeError: It cannot be made.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data_dir / "run").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ServeError(f"The data folder {data_dir} cannot be used: {error.strerror}.") from error
    return data_dir


def _listen(host: str, port: int) -> socket.socket:
    # The supervisor holds the socket, so that the port stays ours, and callers wait instead of being turned
    # away, while the API starts again.
    try:
        family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][
            0
        ]
        return socket.create_server((host, port), family=family, backlog=_LISTEN_BACKLOG)
    except socket.gaierror as error:
        raise ServeError(f"There is no address {host!r} to listen on: {error.strerror}.") from error
    except PermissionError as error:
        raise ServeError(
            f"This account may not listen on port {port}: choose one above 1023 with --port."
        ) from error
    except OSError as error:
        raise ServeError(
            f"Port {port} on {host} is in use: stop what uses it, or choose another one with --port."
            if error.errno in _IN_USE
            else f"Cannot listen on {host}, port {port}: {error.strerror}."
        ) from error


def _remove_server_file(data_dir: Path) -> None:
    found = read_server_file(data_dir)
    if found is not None and found.pid == os.getpid():
        with suppress(OSError):
            server_file(data_dir).unlink()
