"""What a plain value becomes in a result, in the case in which nothing is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

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

from graphql_api.rows import Column, RowEdges
from graphql_api.scalars import MAX_SAFE, serialize_big_int, serialize_datetime

if TYPE_CHECKING:
    from graphql_api.execution.plans import Plan

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

_Plain = tuple[type, Callable[[Column], bool] | None]
_PLAIN: dict[GraphQLLeafType, _Plain] = {
    GraphQLString: (str, None),
    GraphQLID: (str, None),
    GraphQLBoolean: (bool, None),
    GraphQLInt: (int, lambda values: min(values) >= -2147483648 and max(values) <= 2147483647),
    GraphQLFloat: (float, lambda values: all(map(isfinite, values))),
}
"""The same of many values: their class, and whether these of them are in the range."""
_PLAIN_BIG: _Plain = (int, lambda values: min(values) >= -MAX_SAFE and max(values) <= MAX_SAFE)


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
        all_same: Whether all these values are their own results; it may say no of some that are.
        convert_all: Makes the results of many values at once; None if they have to be made one by one.
        below: How the object, or each object of the list, is executed.
    """

    convert: Convert
    same: str = ""
    usual: tuple[type, Convert] | None = None
    results: Mapping[Any, Any] | None = None
    all_same: Callable[[Column], bool] | None = None
    convert_all: Callable[[Column], Column | None] | None = None
    below: "Plan | None" = None


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
    is_big = coerce is serialize_big_int
    test = _same(_SAME_BIG if is_big else _SAME.get(kind, ""), nullable)
    plain = _PLAIN_BIG if is_big else _PLAIN.get(kind)
    return Shape(convert, test, all_same=None if plain is None else partial(_are_plain, plain, nullable))


def _are_plain(plain: _Plain, nullable: bool, values: Column) -> bool:
    """Whether all values are of this class, or null if that is allowed, and within the range."""
    kind, are_in_range = plain
    found = set(map(type, values))
    if found == {kind}:
        return are_in_range is None or are_in_range(values)
    if not nullable or found - {kind, type(None)}:
        return False
    present = [value for value in values if value is not None]
    return not present or are_in_range is None or are_in_range(present)


def object_shape(
    plan: "Plan", nullable: bool, convert_all: Callable[[Column], Column | None] | None = None
) -> Shape:
    """The shape of an object that nothing but this plan executes, and what makes the results of many."""
    build = plan.build  # refuses null

    def convert(value: Any) -> Any:
        return None if value is None else build(value)

    return Shape(convert if nullable else build, convert_all=convert_all, below=plan)


def list_shape(
    item: Shape, nullable: bool, page_results: Callable[[RowEdges], list[Any] | None] | None = None
) -> Shape:
    """The shape of a list, and what makes the results of a page of rows at once."""
    convert_item = item.convert

    def convert(value: Any) -> Any:
        if type(value) is RowEdges:
            results = None if page_results is None else page_results(value)
            return list(map(convert_item, value)) if results is None else results
        if type(value) is list or type(value) is tuple:
            return list(map(convert_item, value))
        if value is None and nullable:
            return None
        raise NotPlainError  # others may be read only once

    return Shape(convert, below=item.below)


def _same(test: str, nullable: bool) -> str:
    return f"{{v}} is None or {test}" if nullable and test else test
