"""What a plain value becomes in a result, in the case in which nothing is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
    Undefined,
)
from graphql.pyutils import is_awaitable

from graphql_api.scalars import MAX_SAFE, serialize_big_int, serialize_datetime

Convert = Callable[[Any], Any]

_SAME: dict[GraphQLLeafType, str] = {
    GraphQLString: "type({v}) is str",
    GraphQLID: "type({v}) is str",
    GraphQLBoolean: "type({v}) is bool",
    GraphQLInt: "type({v}) is int and -2147483648 <= {v} <= 2147483647",
    # The difference is 0 unless the number is infinite or none.
    GraphQLFloat: "type({v}) is float and {v} - {v} == 0.0",
}
"""Scalars of which the usual value is its own result."""
_SAME_BIG = f"type({{v}}) is int and {-MAX_SAFE} <= {{v}} <= {MAX_SAFE}"


class NotPlainError(Exception):
    """Raised when a value is not what it usually is: graphql-core has to look at it."""


@dataclass(frozen=True)
class Shape:
    """How values of one type become results.

    Args:
        convert: Makes the result of any value; raises whatever it likes where that is not plain.
        same: A Python expression of `{v}` that is true only of values that are their own result.
        usual: What makes the results of values of one class, which is never null.
        results: The results of values that are known beforehand.
    """

    convert: Convert
    same: str = ""
    usual: tuple[type, Convert] | None = None
    results: Mapping[Any, Any] | None = None


def _refuse_unusual(value: object) -> None:
    if value is None or value is Undefined or isinstance(value, Exception) or is_awaitable(value):
        raise NotPlainError


def leaf_shape(kind: GraphQLLeafType, nullable: bool) -> Shape:
    """The shape of a scalar or an enum."""
    coerce = kind.coerce_output_value

    def convert(value: Any) -> Any:
        if value is None and nullable:
            return None
        _refuse_unusual(value)
        result = coerce(value)
        if result is None or result is Undefined:
            raise NotPlainError
        return result

    members: type | None = getattr(kind, "wrapped_cls", None)
    if isinstance(kind, GraphQLEnumType) and members is not None:
        # What equals a member has the name of the member, with graphql-core as well.
        return Shape(convert, results={one: coerce(one) for one in members})  # type: ignore[attr-defined]
    if coerce is serialize_datetime:
        return Shape(convert, usual=(datetime, serialize_datetime))
    return Shape(convert, _same(_SAME_BIG if coerce is serialize_big_int else _SAME.get(kind, ""), nullable))


def object_shape(build: Convert, nullable: bool) -> Shape:
    """The shape of an object that this function builds the result of; it refuses null."""

    def convert(value: Any) -> Any:
        return None if value is None else build(value)

    return Shape(convert if nullable else build)


def list_shape(item: Shape, nullable: bool) -> Shape:
    """The shape of a list."""
    convert_item = item.convert

    def convert(value: Any) -> Any:
        if type(value) is list or type(value) is tuple:
            return list(map(convert_item, value))
        if value is None and nullable:
            return None
        raise NotPlainError  # others may be read only once

    return Shape(convert)


def _same(test: str, nullable: bool) -> str:
    return f"{{v}} is None or {test}" if nullable and test else test
