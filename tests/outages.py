"""A PostgreSQL and a Valkey of a test's own, to be killed, halted and started again."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cli import valkey
from tests.databases import is_ready, make_cluster, postgres_binaries, present, server_command, server_user


class PrivateServer:
    """A server process in a folder of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        """As a crash or the kernel would: SIGKILL to it and all its children."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def halt(self) -> None:
        """Let it hang: connections stay open, nothing answers."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)


class PrivatePostgres(PrivateServer):
    def __init__(self, directory: Path, binaries: Path) -> None:
        super().__init__(directory)
        self._binaries = binaries
        make_cluster(binaries, directory)

    @property
    def url(self) -> str:
        return f"postgres://framewise@/postgres?host={self.directory}"

    def start(self, **options: str) -> None:
        command = server_command(self._binaries, self.directory, **options)
        (self.directory / "data" / "postmaster.pid").unlink(missing_ok=True)
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command,
                user=server_user(),
                cwd=self.directory,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if not is_ready(self.process, self.directory):
            pytest.fail(f"PostgreSQL did not start:\n{(self.directory / 'log').read_text()}")

    def kill(self) -> None:
        # Each of its children leads a process group of its own; orphaned, they hold the shared memory on.
        if self.process is not None:
            children = _children_of(self.process.pid)
            super().kill()
            for pid in children:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            while any(_exists(pid) for pid in children):
                time.sleep(0.01)

    def halt(self) -> None:
        for pid in [self.process.pid, *_children_of(self.process.pid)]:
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        for pid in [self.process.pid, *_children_of(self.process.pid)]:
            os.kill(pid, signal.SIGCONT)


class PrivateValkey(PrivateServer):
    @property
    def socket(self) -> Path:
        return self.directory / "valkey.sock"

    @property
    def url(self) -> str:
        return valkey.redis_url(self.socket)

    def start(self) -> None:
        command = valkey.server_command(valkey.find_server_program(), self.socket, self.directory)
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 30
        while not asyncio.run(valkey.is_answering(self.socket)):
            assert time.monotonic() < deadline, "Valkey did not start"
            time.sleep(0.02)

    def empty(self) -> None:
        """Forget everything; call it while it does not run."""
        for path in self.directory.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def private_postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL that runs; the test may kill it."""
    binaries = present(postgres_binaries(), "PostgreSQL")
    # Not below pytest's own folder: that is closed to the user whom the server must run as under root.
    directory = Path(tempfile.mkdtemp(prefix="framewise-postgres-"))
    server = PrivatePostgres(directory, binaries)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def private_valkey() -> Iterator[PrivateValkey]:
    """A Valkey that runs; the test may kill it."""
    # The path of a socket is short.
    directory = Path(tempfile.mkdtemp(prefix="framewise-valkey-"))
    server = PrivateValkey(directory)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)


def _children_of(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout
    return [int(line) for line in found.split()]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
