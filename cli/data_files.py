"""The files of a data folder that the command line knows."""

import os
from pathlib import Path


def server_file(data_dir: Path) -> Path:
    """Names the server running on the folder."""
    return data_dir / "server.json"


def credentials_file(data_dir: Path) -> Path:
    """Keeps the local account that the command line signs in with."""
    return data_dir / "cli-credentials.json"


def lock_file(data_dir: Path) -> Path:
    """Locked by the one server of the folder."""
    return data_dir / "run" / "serve.lock"


def users_lock_file(data_dir: Path) -> Path:
    """Locked, shared, by each `framewise analyze` that uses the server of the folder."""
    return data_dir / "run" / "users.lock"


def server_log_file(data_dir: Path) -> Path:
    """What the processes of the last server started by `framewise analyze` said."""
    return data_dir / "run" / "server.log"


def demo_dir(data_dir: Path) -> Path:
    """Holds the clip of `framewise demo`."""
    return data_dir / "demo"


def write_private_file(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step: a reader sees all of it or the one before."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
