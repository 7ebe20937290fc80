"""The server's database, read from outside, never written."""

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any, Protocol

import asyncpg


class Ledger(Protocol):
    """Reads rows; what fails while the database is away is a `LedgerAwayError`."""

    async def rows(self, sql: str) -> list[Sequence[Any]]: ...

    async def aclose(self) -> None: ...


class LedgerAwayError(Exception):
    """Raised when the database cannot be read at the moment."""


class SqliteLedger:
    """A SQLite file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    async def rows(self, sql: str) -> list[Sequence[Any]]:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=0.2)
            return self._connection.execute(sql).fetchall()
        except sqlite3.Error as error:
            await self.aclose()
            raise LedgerAwayError(str(error)) from error

    async def aclose(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresLedger:
    """A PostgreSQL database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None
        self._lock = asyncio.Lock()

    async def rows(self, sql: str) -> list[Sequence[Any]]:
        try:
            async with self._lock:
                if self._connection is None:
                    self._connection = await asyncpg.connect(self._url, timeout=5, command_timeout=5)
                return [tuple(row) for row in await self._connection.fetch(sql)]
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            await self.aclose()
            raise LedgerAwayError(str(error)) from error

    async def aclose(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


def open_ledger(url: str) -> Ledger:
    """The ledger of a `sqlite://` or `postgres://` URL; it connects when it is first read."""
    if url.startswith("sqlite://"):
        return SqliteLedger(url.removeprefix("sqlite://"))
    return PostgresLedger(url)
