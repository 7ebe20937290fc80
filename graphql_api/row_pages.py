"""Pages of long lists: rows are read as values, and only the columns that are selected."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

from domain.pages import Order, Rows, read_page, read_pages
from domain.sql import StoredId
from graphql_api.context import Info
from graphql_api.execution.ahead import ReadAhead, read_ahead
from graphql_api.execution.selection import selected_columns
from graphql_api.relay import Connection, Edge, PageInfo, decode_keyset, encode_keyset, page_size
from graphql_api.rows import CursorKind, Names, RowEdges, RowType

T = TypeVar("T")

Values = Sequence[Sequence[Any]]
Finish = Callable[[Values, Names], Awaitable[Values]]
"""Makes what rows are read for of what was read: given the values of the columns with these names."""


class RowConnection(NamedTuple):
    """A `Connection` of rows, which makes its `page_info` when it is asked for."""

    edges: RowEdges
    has_next_page: bool
    has_previous_page: bool

    @property
    def page_info(self) -> PageInfo:
        """Where this page lies in the list."""
        return row_page_info(self.edges, self.has_next_page, self.has_previous_page)


def row_page_info(edges: RowEdges, has_next_page: bool, has_previous_page: bool) -> PageInfo:
    """The `PageInfo` of a page of rows."""
    return PageInfo(
        has_next_page=has_next_page,
        has_previous_page=has_previous_page,
        start_cursor=edges.edge(0).cursor if edges else None,
        end_cursor=edges.edge(-1).cursor if edges else None,
    )


async def paginate_rows(
    info: Info,
    rows: Rows,
    kind: RowType[T],
    *,
    first: int | None,
    after: str | None,
    default_first: int = 20,
    order_by: str = "-created_at",
    order_expression: str | None = None,
    finish: Finish | None = None,
    readers: Mapping[str, ReadAhead] | None = None,
) -> Connection[T]:
    """As `paginate`, for long lists.

    Args:
        info: That of the field which is the list.
        rows: What to page through; `kind.rows`, narrowed.
        kind: What the rows become; it has the attributes `key` and that of the column of the order.
        first: The number of rows asked for.
        after: The cursor of the row before the page.
        default_first: The number of rows if `first` is null.
        order_by: A column that is never null, with `-` for descending; `id` decides between equal values.
        order_expression: What takes its place in SQL, and stands in `kind` for it, if it can be null.
        finish: What is done with the values of the rows.
        readers: What can be read ahead, by the name of the field; see `graphql_api.execution.ahead`.

    Raises:
        InvalidError: As `paginate`.
        LimitExceededError: As `paginate`.
    """
    size = page_size(first, default_first)
    keyset = None if after is None else decode_keyset(after, order_by, kind.model)
    cursor_kind = _keyset_cursors(kind, order_by)
    names = selected_columns(info, kind, cursor_kind)
    order = replace(Order.parse(order_by), expression=order_expression)
    page = await read_page(narrowed(rows, names), order, keyset, size + 1)
    shown = page[:size] if finish is None else await finish(page[:size], names)
    edges = RowEdges(kind, shown, names, cursor_kind)
    if readers is not None and edges:
        edges.ahead = await read_ahead(info, readers, edges)
    return cast("Connection[T]", RowConnection(edges, len(page) > size, after is not None))


async def paginate_rows_of(
    parents: Sequence[StoredId],
    parent_column: str,
    rows: Rows,
    kind: RowType[T],
    *,
    first: int | None,
    after: str | None,
    default_first: int = 20,
    order_by: str = "-created_at",
    finish: Finish | None = None,
) -> list[Connection[T]]:
    """The same page of the list of each parent, read together.

    The first column of `kind` must be that with the parent's id.
    """
    size = page_size(first, default_first)
    keyset = None if after is None else decode_keyset(after, order_by, kind.model)
    pages = await read_pages(rows, parent_column, parents, Order.parse(order_by), keyset, size + 1)
    cursor_kind = _keyset_cursors(kind, order_by)
    together: Values = [row for page in pages for row in page[:size]]
    if finish is not None:
        together = await finish(together, kind.names)
    whole = RowEdges(kind, together, kind.names, cursor_kind)
    connections: list[Any] = []
    start = 0
    for page in pages:
        shown = together[start : start + min(len(page), size)]
        edges = RowEdges(kind, shown, kind.names, cursor_kind, part_of=(whole, start))
        connections.append(RowConnection(edges, len(page) > size, after is not None))
        start += len(shown)
    return connections


def narrowed(rows: Rows, names: Sequence[str]) -> Rows:
    """The same rows, of which only these columns are read."""
    return replace(rows, columns=tuple(pair for pair in rows.columns if pair[0] in names))


def replaced(rows: Values, place: int, values: Sequence[Any]) -> Values:
    """The same rows, of which there are some, with other values in one place."""
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    columns[place] = values
    return list(zip(*columns, strict=True))


def row_edges(edges: RowEdges) -> list[Edge[T]]:
    """The edges, as the type of a connection has them."""
    return cast("list[Edge[T]]", edges)


def _keyset_cursors(kind: RowType[T], order_by: str) -> CursorKind:
    return CursorKind((order_by.removeprefix("-"), "key"), partial(encode_keyset, kind.model, order_by))
