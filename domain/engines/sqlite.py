"""SQLite for Tortoise, made to come through failures.

Tortoise keeps one connection behind one lock. Where opening the connection or a transaction fails, it never
gives the lock back, and where a commit fails, it leaves the transaction open: every later query of the
process would wait for ever, or be lost with that transaction.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import aiosqlite
from tortoise.backends.base.client import ConnectionWrapper, TransactionalDBClient, TransactionContext
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
)
from tortoise.connection import get_connections
from typing_extensions import override

from domain.engines.sqlite_reader import SqliteReader


class ResilientSqliteClient(SqliteClient):
    """Tortoise's client with connections and transactions that end whole, however they end."""

    def __init__(self, file_path: str, **options: Any) -> None:
        super().__init__(file_path, **options)
        self._reader = None if file_path == ":memory:" else SqliteReader(file_path, _prepare_reader)

    @override
    async def create_connection(self, with_db: bool) -> None:
        try:
            await super().create_connection(with_db)
            if self._connection is not None:
                await self._connection.create_function("UPPER", 1, upper, deterministic=True)
        except BaseException:
            # A connection without its pragmas would have foreign keys off.
            await self.drop_connection()
            raise

    @override
    def acquire_connection(self) -> ConnectionWrapper[aiosqlite.Connection]:
        return _Connection(self._lock, self)

    @override
    def _in_transaction(self) -> TransactionContext:
        return _Transaction(SqliteTransactionWrapper(self), self._lock)

    async def read_values(self, query: str, values: list[Any]) -> Sequence[Sequence[Any]]:
        """The rows of a query outside of transactions: at once if it is short, else by the thread."""
        self.log.debug("%s: %s", query, values)
        # Without the other connection, the file may not be there yet.
        reader = None if self._connection is None else self._reader
        rows = None if reader is None else reader.read(query, values)
        return (await super().execute_query(query, values))[1] if rows is None else rows

    @override
    async def close(self) -> None:
        self._close_reader()
        await super().close()

    async def roll_back(self) -> None:
        """End a transaction that a failure left open; the connection itself if that fails too."""
        if self._connection is not None:
            try:
                await self._connection.rollback()
            except Exception:
                await self.drop_connection()

    async def drop_connection(self) -> None:
        """Close the connection; the next query opens another one."""
        self._close_reader()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.create_function("UPPER", 1, upper, deterministic=True)


def upper(value: Any) -> Any:
    """SQL's UPPER for all of Unicode, letter by letter as PostgreSQL has it; SQLite's own knows ASCII."""
    if not isinstance(value, str):
        return value
    text = value.upper()
    if len(text) == len(value):
        return text
    return "".join(letter if len(letter.upper()) > 1 else letter.upper() for letter in value)


client_class = ResilientSqliteClient


class _Connection(ConnectionWrapper[aiosqlite.Connection]):
    """The connection, for one query."""

    client: ResilientSqliteClient

    @override
    async def __aenter__(self) -> aiosqlite.Connection:
        await self._lock.acquire()
        try:
            await self.ensure_connection()
        except BaseException:
            self._lock.release()
            raise
        return self.connection

    @override
    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        try:
            if exc_type is not None:
                await self.client.roll_back()
        finally:
            self._lock.release()


class _Transaction(SqliteTransactionContext):
    """The connection, for one transaction."""

    connection: SqliteTransactionWrapper

    @override
    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except BaseException:
            await self._abandon()
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        return self.connection

    @override
    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        get_connections().reset(self.token)
        if self.connection._finalized:
            self._trxlock.release()
        elif exc_type is not None:
            await self._abandon()
        else:
            try:
                await self.connection.commit()
            except BaseException:
                await self._abandon()
                raise
            self._trxlock.release()

    async def _abandon(self) -> None:
        try:
            await self._client.roll_back()
        finally:
            self._trxlock.release()

    @property
    def _client(self) -> ResilientSqliteClient:
        client: ResilientSqliteClient = self.connection._parent  # type: ignore[assignment]
        return client
