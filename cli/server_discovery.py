"""Whether a server runs on a data folder, and where it is reached."""

import asyncio
import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cli.data_files import lock_file, server_file, users_lock_file, write_private_file
from cli.errors import DataDirInUseError
from domain.holders import process_exists

HEALTH_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class RunningServer:
    """What `server.json` says: the API's address, without `/graphql`, and the supervisor's process id."""

    url: str
    pid: int


def write_server_file(data_dir: Path, server: RunningServer) -> None:
    """Say that `server` runs on `data_dir`, readable by this account only."""
    write_private_file(server_file(data_dir), json.dumps(asdict(server)))


def read_server_file(data_dir: Path) -> RunningServer | None:
    """The server that `server.json` names, if its process is alive: one that was left behind is ignored."""
    try:
        found = json.loads(server_file(data_dir).read_text())
        server = RunningServer(url=str(found["url"]), pid=int(found["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return server if server.pid > 0 and process_exists(server.pid) else None


async def find_local_server(data_dir: Path) -> RunningServer | None:
    """The server running on `data_dir`, if there is one and it answers."""
    server = read_server_file(data_dir)
    if server is not None and await is_healthy(server.url):
        return server
    return None


async def is_healthy(url: str) -> bool:
    """Whether the API at `url`, http only, answers `/healthz` with 200."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(HEALTH_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            try:
                writer.write(
                    f"GET /healthz HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()
                )
                status_line = await reader.readline()
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return status_line.split(b" ")[1:2] == [b"200"]


def is_locked(data_dir: Path) -> bool:
    """Whether a server runs, starts or stops on `data_dir`."""
    lock = DataDirLock(data_dir)
    try:
        lock.acquire()
    except DataDirInUseError:
        return True
    lock.release()
    return False


class DataDirLock:
    """Held by the one server of a data folder; the kernel lets go of it when its process ends.

    Args:
        data_dir: The folder, which must exist.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            DataDirInUseError: Another server holds it; the message names its address.
        """
        path = lock_file(self._data_dir)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise DataDirInUseError(self._taken_message()) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _taken_message(self) -> str:
        running = read_server_file(self._data_dir)
        if running is None:
            return f"Another server is just starting or stopping on {self._data_dir}: try again in a moment."
        return (
            f"A server already runs on {self._data_dir}, at {running.url} (process {running.pid}). "
            "Use that one, stop it, or choose another folder with --data-dir."
        )


class ServerUse:
    """Held by each command that uses a server of the data folder which another command started for itself.

    That one calls `is_last` before it stops its server, and from a yes on nobody else can begin to use it.

    Args:
        data_dir: The folder, which must exist.
    """

    def __init__(self, data_dir: Path) -> None:
        path = users_lock_file(data_dir)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def begin(self) -> bool:
        """Whether the server may be used; if not, it is just being stopped."""
        return self._lock(fcntl.LOCK_SH)

    def is_last(self) -> bool:
        """Whether nobody else uses the server; ask again later if somebody does."""
        return self._lock(fcntl.LOCK_EX)

    def end(self) -> None:
        """Give up the use."""
        os.close(self._descriptor)

    def _lock(self, kind: int) -> bool:
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
