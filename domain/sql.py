"""Raw statements that SQLite and PostgreSQL both understand, for what a queryset cannot say."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tortoise import connections
from tortoise.backends.base.client import BaseDBAsyncClient

_PLACEHOLDER = re.compile(r"\$(\d+)")


def is_postgres(connection: BaseDBAsyncClient | None = None) -> bool:
    """Whether the database is PostgreSQL."""
    return (connection or connections.get("default")).capabilities.dialect == "postgres"


async def fetch_rows(
    sql: str, *values: Any, connection: BaseDBAsyncClient | None = None
) -> list[dict[str, Any]]:
    """Run one statement with `$1`-style placeholders and give its rows.

    A write that is one statement needs no transaction, and on SQLite it cannot fail with "database is
    locked" the way a read followed by a write can.
    """
    client = connection or connections.get("default")
    if not is_postgres(client):
        sql = _PLACEHOLDER.sub(r"?\1", sql)
        values = tuple(str(value) if isinstance(value, UUID) else value for value in values)
    return [dict(row) for row in await client.execute_query_dict(sql, list(values))]


def skip_locked(connection: BaseDBAsyncClient | None = None) -> str:
    """The row lock of a claim's inner SELECT: two claimers on PostgreSQL take different rows."""
    return "FOR UPDATE SKIP LOCKED" if is_postgres(connection) else ""


def placeholders(count: int, start: int = 1) -> str:
    """`$1, $2, …` for so many values, the first with the number `start`."""
    return ", ".join(f"${number}" for number in range(start, start + count))


async def lock_rows(connection: BaseDBAsyncClient, table: str, ids: Sequence[UUID]) -> None:
    """Keep others from changing, deleting and referring to rows until the transaction ends.

    It must be the first statement of the transaction: on SQLite it takes the lock of the whole database,
    which a transaction that has read before may be refused.
    """
    chosen = f"WHERE id IN ({placeholders(len(ids))})"
    sql = f"UPDATE {table} SET id = id {chosen} RETURNING id"  # noqa: S608 - a constant and placeholders
    if is_postgres(connection):
        sql = f"SELECT id FROM {table} {chosen} ORDER BY id FOR UPDATE"  # noqa: S608 - likewise
    await fetch_rows(sql, *ids, connection=connection)
