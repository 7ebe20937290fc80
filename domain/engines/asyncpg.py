"""PostgreSQL for Tortoise, made to come through the server's absence.

Tortoise does not give a pooled connection back when its transaction fails to begin, and leaves the task with
it for good: after five such failures every query of the process would wait for ever.

The migrations look for the driver's name in that of this module.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import DBConnectionError
from typing_extensions import override

_CLOSE_SECONDS = 1.0
_RESET_SECONDS = 1.0
_GONE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


@contextmanager
def named_errors() -> Iterator[None]:
    """Say of the errors of the network, the socket's file and the clock that they are the database's."""
    try:
        yield
    except OSError as error:
        message = f"PostgreSQL cannot be reached: {str(error) or type(error).__name__}"
        raise DBConnectionError(message) from error


class _Named(AsyncpgDBClient):
    """A client with `named_errors`."""

    @override
    async def _translate_exceptions(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with named_errors():
            return await super()._translate_exceptions(func, *args, **kwargs)


class _PlainConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that is given back to the pool without a statement.

    asyncpg would reset settings, listeners, cursors and advisory locks of the session after every query,
    which takes as long as a short query. Nothing here has any beyond a transaction, and an open transaction
    is rolled back all the same.
    """

    @override
    def get_reset_query(self) -> str:
        return ""


class ResilientPostgresClient(_Named):
    """Tortoise's client with a pool that loses no connection, however a transaction ends."""

    connection_class = _PlainConnection

    @override
    def acquire_connection(self) -> PoolConnectionWrapper[asyncpg.Connection]:
        return _Connection(self, self._pool_init_lock)

    @override
    def _in_transaction(self) -> TransactionContext:
        return _Transaction(_TransactionClient(self), self._pool_init_lock)

    @override
    async def _close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await pool.close()
        except _GONE:
            pool.terminate()


client_class = ResilientPostgresClient


async def _give_back(pool: Any, connection: Any) -> None:
    # It is reset first, which fails in many ways where the server has gone or hangs; then it is closed. What
    # was done with it is done.
    with suppress(Exception):
        await pool.release(connection, timeout=_RESET_SECONDS)


class _Connection(PoolConnectionWrapper[asyncpg.Connection]):
    """A connection of the pool, for one query."""

    @override
    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        await _give_back(self.client._pool, self.connection)


class _TransactionClient(_Named, TransactionWrapper):
    pass


class _Transaction(TransactionContextPooled):
    """A connection of the pool, for one transaction."""

    @override
    async def __aenter__(self) -> TransactionalDBClient:
        with named_errors():
            await self.ensure_connection()
            self.client._connection = await self._pool.acquire()
        try:
            await self.client.begin()
        except BaseException:
            await self._release()
            raise
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client

    @override
    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        get_connections().reset(self.token)
        try:
            if self.client._finalized:
                return
            if exc_type is None:
                with named_errors():
                    await self.client.commit()
            else:
                # Without a connection there is nothing to roll back; what happened is the error to see.
                with suppress(*_GONE):
                    await self.client.rollback()
        finally:
            await self._release()

    async def _release(self) -> None:
        await _give_back(self._pool, self.client._connection)

    @property
    def _pool(self) -> Any:
        return self.client._parent._pool
