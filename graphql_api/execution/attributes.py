"""Which fields are nothing but an attribute of the object, and which objects a type takes."""

from typing import Any

from graphql import GraphQLField, GraphQLObjectType, Undefined
from graphql.pyutils import is_awaitable
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.cast import get_strawberry_type_cast
from strawberry.types.field import StrawberryField

from graphql_api.execution.shapes import NotPlainError

_DEFINITION = GraphQLCoreConverter.DEFINITION_BACKREF
READ_AHEAD = "read_ahead"
"""In the metadata of a field: whether a list may have read its values for all of its objects."""

AHEAD_PREFIX = "ahead_"
"""What attributes of such values begin with; the response name follows."""

_BASIC_RESOLVER = "_get_basic_result"
"""What Strawberry calls the resolver of a field that has none."""


def attribute_of(field: GraphQLField) -> str | None:
    """The attribute that a field gives as it is; None for a field with a resolver, a permission or such."""
    definition = field.extensions.get(_DEFINITION)
    if not isinstance(definition, StrawberryField):
        return None
    is_plain = (
        definition.is_basic_field
        and definition.default_resolver is getattr
        and getattr(field.resolve, "__name__", "") == _BASIC_RESOLVER
        and not field.args
        and definition.python_name.isidentifier()
    )
    return definition.python_name if is_plain else None


def read_ahead_attribute(field: GraphQLField, response_name: str) -> str | None:
    """The attribute that a list gives the values of a field by; None for a field that is never read ahead."""
    definition = field.extensions.get(_DEFINITION)
    if not isinstance(definition, StrawberryField) or not definition.metadata.get(READ_AHEAD):
        return None
    attribute = f"{AHEAD_PREFIX}{response_name}"
    return attribute if attribute.isidentifier() and attribute.isascii() else None


def can_build(kind: GraphQLObjectType) -> bool:
    """Whether it takes no more than the Python class to tell that an object is of this type."""
    definition = kind.extensions.get(_DEFINITION)
    if not isinstance(definition, StrawberryObjectDefinition):
        return False
    return kind.is_type_of is None or definition.is_type_of is None


class Admission:
    """The classes whose objects a type takes, found out as they come.

    Args:
        kind: A type that `can_build`.
    """

    def __init__(self, kind: GraphQLObjectType) -> None:
        self.classes: set[type] = set()
        self._kind = kind

    def admit(self, value: Any) -> None:
        """Look at an object of another class.

        Raises:
            NotPlainError: It is none of this type, or none at all.
        """
        if value is None or value is Undefined or isinstance(value, Exception) or is_awaitable(value):
            raise NotPlainError
        is_type_of: Any = self._kind.is_type_of
        # Strawberry's own makes no use of what else it is given.
        if is_type_of is not None and not is_type_of(value, None):
            raise NotPlainError
        # An object can be told to be of another type than its class.
        if get_strawberry_type_cast(value) is None:
            self.classes.add(type(value))
