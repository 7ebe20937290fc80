"""Functions that make the result of an object, written for one selection."""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLObjectType
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE

from graphql_api.execution.attributes import Admission
from graphql_api.execution.shapes import Convert, Shape

PlainField = tuple[str, Shape]
"""An attribute, and what it becomes."""


def make_builder(kind: GraphQLObjectType, fields: Mapping[str, PlainField | str | None]) -> Convert:
    """A function that makes the result of an object of this type, and raises if anything is not plain.

    It is a loop over the fields, written out: attribute, test, result. Names that come from the document are
    values in it, never part of its text.

    Args:
        kind: A type that `can_build`.
        fields: Response name → an attribute; or a text that is the result; or None for what comes later.
    """
    admission = Admission(kind)
    names: dict[str, Any] = {"classes": admission.classes, "admit": admission.admit}
    lines = [f" if type(o) not in classes{_cast_test(kind)}: admit(o)"]
    results = []
    for number, (response_name, field) in enumerate(fields.items()):
        names[f"k{number}"] = response_name
        if isinstance(field, tuple):
            attribute, shape = field
            names[f"c{number}"] = shape.convert
            lines.append(f" v{number} = o.{attribute}")
            lines.append(_conversion(number, shape, names))
            results.append(f"k{number}: v{number}")
        else:
            names[f"t{number}"] = field
            results.append(f"k{number}: t{number}")
    source = "\n".join(["def build(o):", *lines, f" return {{{', '.join(results)}}}"])
    exec(compile(source, f"<{kind.name}>", "exec"), names)  # noqa: S102 - see above
    build: Convert = names["build"]
    return build


def _conversion(number: int, shape: Shape, names: dict[str, Any]) -> str:
    """The line that makes the result of a value; what is usual costs no call of `convert`."""
    value, convert = f"v{number}", f"c{number}(v{number})"
    if shape.same:
        return f" if not ({shape.same.format(v=value)}): {value} = {convert}"
    if shape.results is not None:
        names[f"r{number}"] = shape.results.get
        return f" {value} = r{number}({value}) or {convert}"
    if shape.usual is not None:
        names[f"u{number}"], names[f"f{number}"] = shape.usual
        return f" {value} = f{number}({value}) if type({value}) is u{number} else {convert}"
    return f" {value} = {convert}"


def _cast_test(kind: GraphQLObjectType) -> str:
    if kind.is_type_of is None:
        return ""
    return f" or getattr(o, {TYPE_CAST_ATTRIBUTE!r}, None) is not None"
