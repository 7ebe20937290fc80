"""Raw statements that SQLite and PostgreSQL both understand, for what a queryset cannot say."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
from tortoise import connections
from tortoise.backends.base.client import BaseDBAsyncClient

from domain.engines.sqlite import ResilientSqliteClient

T = TypeVar("T")

StoredId = UUID | str
"""An id as a database gives it, or one of ours: both find it again, and stand in texts alike."""

BATCH = 500
"""Most values in one list of a statement."""

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


async def fetch_values(sql: str, *values: Any) -> Sequence[Sequence[Any]]:
    """Run one query with `?` for each value, and give its rows as the driver has them.

    SQLite has no type for ids, moments and truth: what it gives for them are text and numbers, see
    `stored_uuid`, `stored_moment` and `stored_flag`.
    """
    client = connections.get("default")
    if isinstance(client, ResilientSqliteClient):
        return await client.read_values(sql, [_for_sqlite(value) for value in values])
    if is_postgres(client):
        parts = sql.split("?")
        sql = parts[0] + "".join(f"${number}{part}" for number, part in enumerate(parts[1:], 1))
        given = list(values)
    else:
        given = [_for_sqlite(value) for value in values]
    rows: Sequence[Sequence[Any]] = (await client.execute_query(sql, given))[1]
    return rows


def _for_sqlite(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return value.astimezone(UTC).isoformat(" ") if isinstance(value, datetime) else value


def stored_uuid(value: Any) -> UUID:
    """An id as a raw statement gives it."""
    if type(value) is UUID:
        return value
    # PostgreSQL's driver gives objects of its own kind, which JSON does not know.
    return UUID(int=value.int) if isinstance(value, UUID) else UUID(str(value))


def stored_uuid_or_none(value: Any) -> UUID | None:
    """An id or null as a raw statement gives it."""
    return None if value is None else stored_uuid(value)


def stored_moment(value: Any) -> Any:
    """A moment or null as `fetch_values` gives it."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def stored_flag(value: Any) -> bool | None:
    """True, false or null as `fetch_values` gives it."""
    return None if value is None else bool(value)


def stored_json(value: Any) -> Any:
    """What a JSON column holds, as a raw statement gives it."""
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def in_batches(values: Iterable[T], size: int | None = None) -> Iterator[list[T]]:
    """All of these, so many (`BATCH`) at a time: a statement takes only so many values."""
    listed = list(values)
    size = size or BATCH
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


def among(column: str, ids: Sequence[StoredId]) -> tuple[str, list[Any]]:
    """The condition that a column has one of these ids, with `?`, and its values.

    PostgreSQL takes them as one array: then the statement is the same for however many, and planned once.
    """
    if is_postgres():
        return f"{column} = ANY(?::uuid[])", [list(ids)]
    return (f"{column} IN ({', '.join('?' * len(ids))})" if ids else "1 = 0"), list(ids)


async def write_many(connection: BaseDBAsyncClient, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run one statement with `$1`-style placeholders, once for each row of values."""
    if is_postgres(connection):
        await connection.execute_many(sql, [list(row) for row in rows])
    else:
        given = [[_for_sqlite(value) for value in row] for row in rows]
        await connection.execute_many(_PLACEHOLDER.sub(r"?\1", sql), given)


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
