"""Raw statements that SQLite and PostgreSQL both understand, for what a queryset cannot say."""

import re
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
