"""Objects of the schema that are rows: what is selected of one is converted when it is asked for.

The rows of a page can be converted column by column instead, which takes a fraction of the time: that is what
`graphql_api.execution.pages` does with a `RowEdges`.
"""

from collections import namedtuple
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from strawberry.types import get_object_definition
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE
from strawberry.utils.str_converters import to_camel_case
from tortoise.models import Model
from typing_extensions import override

from domain.pages import Rows, columns_of
from domain.sql import StoredId, stored_moment

T = TypeVar("T")
Column = Sequence[Any]
Names = tuple[str, ...]

ROW_TYPE_ATTRIBUTE = "_row_type"
"""Where an object that is a row has its `RowType`."""

_UNREAD = object()
"""In the place of a column that was not read: nothing can be made of it, by mistake either."""


@dataclass(frozen=True)
class Computed:
    """An attribute that is made of columns.

    Args:
        columns: The columns, by the names they have in the `RowType`.
        make: Makes the value of theirs.
        members: All values of a column and what is made of each, where there are few.
        whole: Makes all values of a column at once; None if it cannot, which `make` then can.
        is_moment: The column is a moment or null, as `fetch_values` gives it.
    """

    columns: Names
    make: Callable[..., Any]
    members: Mapping[Any, Any] | None = None
    whole: Callable[[Column], Column | None] | None = None
    is_moment: bool = False

    def of_row(self, row: Any) -> Any:
        """The value for an object that has the columns as attributes."""
        return self.make(*[getattr(row, name) for name in self.columns])


def enum_of(column: str, members: type[StrEnum]) -> Computed:
    """A member of an enum, of which the value is stored."""
    by_value = {member.value: member for member in members}
    return Computed((column,), by_value.__getitem__, members=by_value)


def moment_of(column: str) -> Computed:
    """A moment or null."""
    return Computed((column,), stored_moment, is_moment=True)


class RowType(Generic[T]):
    """How rows of a table become objects of a type.

    Args:
        kind: The type; it has an attribute for each column and each computed value that a field is about.
        model: The model of the table.
        columns: The columns that are read, by attribute or as they are called.
        computed: Attribute → how its value is made.
    """

    def __init__(
        self,
        kind: type[T],
        model: type[Model],
        columns: Mapping[str, str] | Sequence[str],
        /,
        **computed: Computed,
    ) -> None:
        self.kind = kind
        self.columns = columns_of(columns)
        self.names: Names = tuple(name for name, _ in self.columns)
        self.model = model
        self.computed = computed
        base = namedtuple(f"{kind.__name__}Row", self.names)  # type: ignore[misc]
        self._values_of = attrgetter(*[column for _, column in self.columns])
        properties = {name: property(one.of_row) for name, one in computed.items()}
        # Strawberry looks on every object for what it might have been cast to.
        namespace = {**properties, TYPE_CAST_ATTRIBUTE: None, ROW_TYPE_ATTRIBUTE: self}
        made: Any = type(base.__name__, (base, kind), namespace)
        self.of: Callable[[Iterable[Any]], T] = partial(tuple.__new__, made)
        """Makes the object of the values of the columns."""

    @property
    def rows(self) -> Rows:
        """All rows of the table, to be narrowed."""
        return Rows(self.model, self.columns)

    def of_model(self, row: Model) -> T:
        """The object of a row that was read as a model object."""
        return self.of(self._values_of(row))

    def columns_behind(self, attributes: Collection[str]) -> Names:
        """The names of the columns behind these attributes, at least one; of all for an unknown one."""
        needed: set[str] = set()
        for attribute in attributes:
            if attribute in self.computed:
                needed.update(self.computed[attribute].columns)
            elif attribute in self.names:
                needed.add(attribute)
            else:
                return self.names
        return tuple(name for name in self.names if name in needed) or self.names[:1]

    def columns_wanted(self, wants: Callable[[str], bool], *attributes: str) -> Names:
        """The names of the columns behind these attributes and the fields that may be asked for, by name."""
        # What has a resolver is no attribute: it may ask for any other.
        return self.columns_behind(
            {*attributes, *[attribute for name, attribute in self._fields if wants(name)]}
        )

    @cached_property
    def _fields(self) -> list[tuple[str, str]]:
        """The name of each field of the type, in GraphQL and in Python."""
        fields = get_object_definition(self.kind, strict=True).fields
        return [(one.graphql_name or to_camel_case(one.python_name), one.python_name) for one in fields]

    def partly(self, rows: Iterable[Sequence[Any]], names: Names) -> list[T]:
        """The objects of rows of which only these columns were read; no others may be asked for."""
        if names == self.names:
            return list(map(self.of, rows))
        places = [names.index(name) if name in names else None for name in self.names]
        return [self.of([_UNREAD if place is None else row[place] for place in places]) for row in rows]


class CursorKind(NamedTuple):
    """How the cursor of a row is made."""

    attributes: Names
    """The attributes of the object that it is made of."""
    make: Callable[..., str]
    """Makes it of their values."""

    def of(self, node: Any) -> str:
        """The cursor of an object."""
        return self.make(*[getattr(node, name) for name in self.attributes])


class RowEdge(NamedTuple):
    """An `Edge` of a row, which makes its cursor when it is asked for."""

    node: Any
    cursor_kind: CursorKind

    @property
    def cursor(self) -> str:
        """The place of the row in its order."""
        return self.cursor_kind.of(self.node)


class RowEdges(Sequence[RowEdge]):
    """The edges of a page of rows, made when they are asked for.

    Args:
        kind: What the rows become.
        rows: The values of the columns.
        names: The names of these columns: of all, or of those that are selected.
        cursor_kind: How cursors are made.
        ahead: Values that were read ahead for all rows, by attribute; only whole pages are made of them.
        part_of: The edges of all pages that were read together, and the place in them where these begin.
    """

    def __init__(
        self,
        kind: RowType[Any],
        rows: Sequence[Sequence[Any]],
        names: Names,
        cursor_kind: CursorKind,
        ahead: Mapping[str, Column] | None = None,
        part_of: "tuple[RowEdges, int] | None" = None,
    ) -> None:
        self.part_of = part_of
        self.built: dict[Any, list[Any] | None] = {}
        """What was made of all of them for the parts: by what made it; None where it could not."""
        self.ahead: Mapping[str, Column] = ahead or {}
        self.kind = kind
        self.rows = rows
        self.names = names
        self.cursor_kind = cursor_kind
        self._edges: list[RowEdge] | None = None

    @override
    def __len__(self) -> int:
        return len(self.rows)

    @override
    def __getitem__(self, place: Any) -> Any:
        return self._made()[place]

    @override
    def __iter__(self) -> Iterator[RowEdge]:
        return iter(self._made())

    @property
    def keys(self) -> list[StoredId]:
        """The ids of the rows as they are stored."""
        place = self.names.index(self.kind.computed["key"].columns[0])
        return [row[place] for row in self.rows]

    def edge(self, place: int) -> RowEdge:
        """One of them, without those around it."""
        (node,) = self.kind.partly([self.rows[place]], self.names)
        return RowEdge(node, self.cursor_kind)

    def _made(self) -> list[RowEdge]:
        if self._edges is None:
            nodes = self.kind.partly(self.rows, self.names)
            self._edges = [RowEdge(node, self.cursor_kind) for node in nodes]
        return self._edges
