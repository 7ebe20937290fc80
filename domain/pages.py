"""Pages of rows, found by key and read as values: lists are long, and model objects are slow to make."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from tortoise.models import Model

from domain.sql import StoredId, among, fetch_values, in_batches, is_postgres

_LONGEST_TEXT = 10_000
"""What is longer stands in no column that is searched; SQLite takes no pattern of more than 50,000 bytes."""

_PARENTS_A_STATEMENT = 200
"""SQLite joins at most 500 SELECTs."""


@dataclass(frozen=True)
class Order:
    """The order of a list: by a column that is never null, where `id` decides between equal values."""

    column: str
    descending: bool = False
    expression: str | None = None
    """What takes the place of the column in SQL, where that can be null."""

    @classmethod
    def parse(cls, text: str) -> "Order":
        """The order that is written as a column, with `-` for descending."""
        return cls(text.removeprefix("-"), text.startswith("-"))

    def __str__(self) -> str:
        return f"-{self.column}" if self.descending else self.column


@dataclass(frozen=True)
class Rows:
    """Rows of one table that meet conditions.

    Args:
        model: The model of the table.
        columns: What to read of each row: name → column.
        conditions: SQL that both databases understand, with `?` for each of `values`.
        values: The values, in the order of the conditions.
        joined: SQL of a JOIN with others, which gives each row once; the columns are those of all.
    """

    model: type[Model]
    columns: tuple[tuple[str, str], ...]
    conditions: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    joined: str = ""

    def where(self, condition: str, *values: Any) -> "Rows":
        """Those of them that meet another condition as well."""
        return replace(self, conditions=(*self.conditions, condition), values=(*self.values, *values))

    def of_owner(self, owner_id: UUID) -> "Rows":
        """Those of them that belong to an account."""
        return self.where("owner_id = ?", owner_id)

    def where_in(self, column: str, values: Sequence[Any]) -> "Rows":
        """Those of them with one of these values."""
        places = ", ".join("?" * len(values))
        return self.where(f"{column} IN ({places})" if values else "1 = 0", *values)

    def with_ids(self, ids: Sequence[StoredId], column: str = "id") -> "Rows":
        """Those of them with one of these ids, in no order."""
        condition, values = among(column, ids)
        return self.where(condition, *values)


def columns_of(columns: Mapping[str, str] | Sequence[str]) -> tuple[tuple[str, str], ...]:
    """`Rows.columns` from names that are columns, or from name → column."""
    pairs = columns.items() if isinstance(columns, Mapping) else zip(columns, columns, strict=True)
    return tuple(pairs)


async def read_all(rows: Rows) -> Sequence[Sequence[Any]]:
    """Every row, in no order."""
    return await fetch_values(_select(rows.model, rows.columns, rows.conditions, rows.joined), *rows.values)


async def read_page(
    rows: Rows, order: Order, after: tuple[Any, UUID] | None, limit: int
) -> Sequence[Sequence[Any]]:
    """The first `limit` rows in this order, or the first that follow the row with this value and id."""
    keyset = _keyset(order, after)
    sql = _page(rows.model, rows.columns, rows.conditions, order, after is not None, limit, rows.joined)
    return await fetch_values(sql, *rows.values, *keyset)


async def read_pages(
    rows: Rows,
    parent_column: str,
    parents: Sequence[StoredId],
    order: Order,
    after: tuple[Any, UUID] | None,
    limit: int,
) -> list[list[Sequence[Any]]]:
    """The page of each parent, read together; the first value of each row must be its parent's id."""
    pages: dict[Any, list[Sequence[Any]]] = {}
    for sql, values in _statements_of_pages(rows, parent_column, parents, order, after, limit):
        for row in await fetch_values(sql, *values):
            pages.setdefault(row[0], []).append(row)
    # SQLite gives ids as text.
    return [pages.get(parent) or pages.get(str(parent)) or [] for parent in parents]


def _statements_of_pages(
    rows: Rows,
    parent_column: str,
    parents: Sequence[StoredId],
    order: Order,
    after: tuple[Any, UUID] | None,
    limit: int,
) -> Iterator[tuple[str, list[Any]]]:
    """The statements that read a page of each parent, and their values."""
    keyset = _keyset(order, after)

    def page_of(parent: str) -> str:
        conditions = (*rows.conditions, f"{parent_column} = {parent}")
        return _page(rows.model, rows.columns, conditions, order, after is not None, limit, rows.joined)

    if is_postgres():
        # One plan for however many parents; a hundred SELECTs take longer to plan than to run.
        one = page_of("asked.parent_id")
        sql = f"SELECT page.* FROM UNNEST(?::uuid[]) AS asked(parent_id), LATERAL ({one}) AS page"  # noqa: S608
        yield sql, [list(parents), *rows.values, *keyset]
        return
    one = page_of("?")
    for asked in in_batches(parents, _PARENTS_A_STATEMENT):
        sql = " UNION ALL ".join([f"SELECT * FROM ({one}) AS page"] * len(asked))  # noqa: S608
        yield sql, [value for parent in asked for value in (*rows.values, parent, *keyset)]


def contains_text(columns: Sequence[str], text: str) -> tuple[str, list[str]]:
    """The condition that one of these columns has this text in it, in any case, and its values."""
    if len(text) > _LONGEST_TEXT:
        return "1 = 0", []
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    condition = " OR ".join(f"UPPER({column}) LIKE UPPER(?) ESCAPE '\\'" for column in columns)
    return f"({condition})", [f"%{escaped}%"] * len(columns)


def _keyset(order: Order, after: tuple[Any, UUID] | None) -> tuple[Any, ...]:
    """The values of what `_page` has for the row that the page follows."""
    if after is None:
        return ()
    return (after[0], *after) if order.expression else after


@lru_cache(maxsize=256)
def _select(
    model: type[Model], columns: tuple[tuple[str, str], ...], conditions: tuple[str, ...], joined: str
) -> str:
    read = ", ".join(f"{column} AS {name}" for name, column in columns)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    table = f"{model._meta.db_table} {joined}".rstrip()
    return f"SELECT {read} FROM {table}{where}"  # noqa: S608 - constants and placeholders


@lru_cache(maxsize=256)
def _page(
    model: type[Model],
    columns: tuple[tuple[str, str], ...],
    conditions: tuple[str, ...],
    order: Order,
    has_after: bool,
    limit: int,
    joined: str,
) -> str:
    table = model._meta.db_table
    column, direction = order.expression or f"{table}.{order.column}", " DESC" if order.descending else ""
    if has_after:
        side = "<" if order.descending else ">"
        if order.expression:
            # SQLite finds the place of a pair in an index of columns only.
            conditions = (*conditions, f"{column} {side}= ?")
        conditions = (*conditions, f"({column}, {table}.id) {side} (?, ?)")
    select = _select(model, columns, conditions, joined)
    return f"{select} ORDER BY {column}{direction}, {table}.id{direction} LIMIT {limit}"
