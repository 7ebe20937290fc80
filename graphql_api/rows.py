"""Objects of the schema that are rows: what is selected of one is converted when it is asked for."""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from operator import attrgetter
from typing import Any, Generic, TypeVar

from strawberry.types.cast import TYPE_CAST_ATTRIBUTE
from tortoise.models import Model

from domain.pages import Rows, columns_of

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def by_value(members: type[E]) -> dict[str, E]:
    """The members of an enum by what is stored of them."""
    return {member.value: member for member in members}


class RowType(Generic[T]):
    """How rows of a table become objects of a type.

    Args:
        kind: The type; it has an attribute for each column and each computed value that a field is about.
        model: The model of the table.
        columns: The columns that are read, by attribute or as they are called.
        computed: Attribute → what makes its value of an object with the columns as attributes.
    """

    def __init__(
        self,
        kind: type[T],
        model: type[Model],
        columns: Mapping[str, str] | Sequence[str],
        /,
        **computed: Callable[[Any], Any],
    ) -> None:
        self.columns = columns_of(columns)
        self.model = model
        base = namedtuple(f"{kind.__name__}Row", [name for name, _ in self.columns])  # type: ignore[misc]
        self._values_of = attrgetter(*[column for _, column in self.columns])
        properties = {name: property(compute) for name, compute in computed.items()}
        # Strawberry looks on every object for what it might have been cast to.
        namespace = {**properties, TYPE_CAST_ATTRIBUTE: None}
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
