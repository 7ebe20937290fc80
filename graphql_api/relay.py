"""Relay: global ids, `Node`, and connections with keyset cursors."""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

import strawberry
from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from domain.errors import InvalidError, LimitExceededError, NotFoundError
from domain.text import is_storable
from graphql_api.context import Context
from graphql_api.rows import Column, Computed

MAX_PAGE_SIZE = 100

_UUID_LENGTH = 36
_URL_SAFE = bytes.maketrans(b"+/", b"-_")

T = TypeVar("T")
M = TypeVar("M", bound=Model)


@strawberry.interface(description="An object with an id that is unique in the whole server.")
class Node:
    id: strawberry.ID = strawberry.field(description="An opaque id, unique among objects of all types.")


NodeLoader = Callable[[Context, str], Awaitable[Node | None]]
"""Gives the object with this key if the viewer may see it."""


def global_id(type_name: str, key: UUID | str) -> strawberry.ID:
    """The opaque id of the object of this GraphQL type with this key."""
    return strawberry.ID(_encode(f"{type_name}:{key}"))


def id_of(type_name: str, column: str) -> Computed:
    """The global id of a row whose key is in this column, a UUID that is never null."""
    return Computed(
        (column,), lambda key: global_id(type_name, key), whole=lambda keys: _global_ids(type_name, keys)
    )


def _global_ids(type_name: str, keys: Column) -> Column | None:
    """The ids of all these keys, encoded as one: Base64 makes four letters of each three bytes.

    Where a key does not end with such three, bytes of nothing fill them up, and their letters are cut off.
    """
    prefix, texts = f"{type_name}:", keys if set(map(type, keys)) == {str} else list(map(str, keys))
    if set(map(len, texts)) != {_UUID_LENGTH}:
        return None
    missing = -(len(prefix) + _UUID_LENGTH) % 3
    size = len(prefix) + _UUID_LENGTH + missing
    filler = "\0" * missing
    plain = f"{prefix}{f'{filler}{prefix}'.join(texts)}{filler}".encode()
    if len(plain) != size * len(texts):
        return None
    text = binascii.b2a_base64(plain, newline=False).translate(_URL_SAFE).decode()
    step = size // 3 * 4
    return [text[start : start + step - missing] for start in range(0, len(text), step)]


def parse_global_id(value: str) -> tuple[str, str] | None:
    """The type name and key in an id; None for what `global_id` cannot have made."""
    text = _decode(value)
    if text is None or ":" not in text:
        return None
    type_name, _, key = text.partition(":")
    return (type_name, key) if type_name and key and _encode(text) == value else None


def find_uuid(value: str, type_name: str) -> UUID | None:
    """The key in an id of this type, for a query that answers null to every other id."""
    parsed = parse_global_id(value)
    return _canonical_uuid(parsed[1]) if parsed is not None and parsed[0] == type_name else None


def require_uuid(value: str, type_name: str, *path: str | int) -> UUID:
    """The key in an id of this type, for a mutation.

    Raises:
        NotFoundError: It is no such id; `path` says which argument it came from.
    """
    key = find_uuid(value, type_name)
    if key is None:
        raise NotFoundError(f"There is no {type_name} with this id.", path)
    return key


async def load_node(loaders: Mapping[str, NodeLoader], context: Context, value: str) -> Node | None:
    """The object with this global id, loaded by its type's entry in `loaders`; null if there is none."""
    parsed = parse_global_id(value)
    if parsed is None or parsed[0] not in loaders:
        return None
    return await loaders[parsed[0]](context, parsed[1])


def uuid_loader(load: Callable[[Context, UUID], Awaitable[Node | None]]) -> NodeLoader:
    """A node loader for a type whose key is a UUID."""

    async def load_by_text(context: Context, key: str) -> Node | None:
        parsed = _canonical_uuid(key)
        return None if parsed is None else await load(context, parsed)

    return load_by_text


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follow after this page.")
    has_previous_page: bool = strawberry.field(description="Whether this page began after a cursor.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge; null if none.")
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last edge: `after` for the next page; null if there is none."
    )


@strawberry.type(description="An object in a list, and its place there.")
class Edge(Generic[T]):
    node: T = strawberry.field(description="The object.")
    cursor: str = strawberry.field(description="Its place: as `after`, it gives what follows.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The objects of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page lies in the list.")


def page_size(first: int | None, default: int) -> int:
    """The number of objects asked for; `default` for null.

    Raises:
        InvalidError: It is negative.
        LimitExceededError: It is more than `MAX_PAGE_SIZE`.
    """
    if first is None:
        return default
    if first < 0:
        raise InvalidError("`first` must not be negative.", ("first",))
    if first > MAX_PAGE_SIZE:
        raise LimitExceededError(
            f"`first` may be at most {MAX_PAGE_SIZE}.", limit="max_page_size", path=("first",)
        )
    return first


def make_connection(
    items: Sequence[T], cursors: Sequence[str], *, has_next_page: bool, has_previous_page: bool
) -> Connection[T]:
    """A connection of the objects of one page and the cursor of each."""
    return Connection(
        edges=[Edge(node=item, cursor=cursor) for item, cursor in zip(items, cursors, strict=True)],
        page_info=PageInfo(
            has_next_page=has_next_page,
            has_previous_page=has_previous_page,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
    )


async def paginate(
    queryset: QuerySet[M],
    convert: Callable[[M], T],
    *,
    first: int | None,
    after: str | None,
    default_first: int = 20,
    order_by: str = "-created_at",
) -> Connection[T]:
    """One page of a queryset, found by key and not by offset.

    So the last page is as fast as the first, and rows that come or go in between shift nothing.

    Args:
        queryset: What to page through: filtered, not ordered.
        convert: Makes the GraphQL object of a row.
        first: The number of rows asked for.
        after: The cursor of the row before the page.
        default_first: The number of rows if `first` is null.
        order_by: A column that is never null, with `-` for descending; `id` decides between equal values.

    Raises:
        InvalidError: `first` is negative, or `after` is no cursor of this list in this order.
        LimitExceededError: `first` is more than `MAX_PAGE_SIZE`.
    """
    size = page_size(first, default_first)
    column = order_by.removeprefix("-")
    descending = order_by.startswith("-")
    if after is not None:
        value, row_id = decode_keyset(after, order_by, queryset.model)
        side = "lt" if descending else "gt"
        queryset = queryset.filter(
            Q(**{f"{column}__{side}": value}) | Q(**{column: value, f"id__{side}": row_id})
        )
    rows = await queryset.order_by(order_by, "-id" if descending else "id").limit(size + 1)
    page = rows[:size]
    return make_connection(
        [convert(row) for row in page],
        [encode_keyset(queryset.model, order_by, getattr(row, column), row.pk) for row in page],
        has_next_page=len(rows) > size,
        has_previous_page=after is not None,
    )


def encode_cursor(*values: Any) -> str:
    """An opaque cursor of values that JSON can hold."""
    return _encode(json.dumps(values, separators=(",", ":")))


def decode_cursor(cursor: str) -> list[Any]:
    """The values in a cursor.

    Raises:
        InvalidError: `encode_cursor` cannot have made it.
    """
    text = _decode(cursor)
    try:
        values = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list):
        raise _bad_cursor()
    return values


def encode_keyset(model: type[Model], order_by: str, value: Any, row_id: UUID) -> str:
    """The cursor of the row of `model` with this id and this value in the column of the order."""
    plain = value if isinstance(value, (int, float, str)) else value.isoformat()
    return encode_cursor(model._meta.db_table, order_by, plain, row_id.hex)


def decode_keyset(cursor: str, order_by: str, model: type[Model]) -> tuple[Any, UUID]:
    """The value and the id in a cursor of `encode_keyset`.

    Raises:
        InvalidError: It is none of a list of `model` in this order.
    """
    values = decode_cursor(cursor)
    if len(values) != 4 or values[:2] != [model._meta.db_table, order_by]:
        raise _bad_cursor()
    field = model._meta.fields_map[order_by.removeprefix("-")]
    try:
        value = field.to_python_value(values[2])
        row_id = UUID(hex=values[3])
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise _bad_cursor() from None
    if not isinstance(value, field.field_type) or (isinstance(value, str) and not is_storable(value)):
        raise _bad_cursor()
    return value, row_id


def _bad_cursor() -> InvalidError:
    return InvalidError("`after` is not a cursor of this list in this order.", ("after",))


def _canonical_uuid(text: str) -> UUID | None:
    try:
        key = UUID(text)
    except ValueError:
        return None
    return key if str(key) == text else None


def _encode(text: str) -> str:
    return binascii.b2a_base64(text.encode(), newline=False).translate(_URL_SAFE, b"=").decode()


def _decode(value: str) -> str | None:
    try:
        padded = value.encode("ascii") + b"=" * (-len(value) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (UnicodeError, binascii.Error):
        return None
