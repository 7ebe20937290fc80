"""Operations made from the schema itself: every field that can be reached."""

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_object_type,
    is_required_argument,
)

PAGE = 2
"""How many objects of each list are asked for."""


class Selections:
    """Writes selections of everything.

    A type is selected in full once in each query, and with its plain fields wherever else it comes: all
    ways to everything would be more than fit into a document.

    Args:
        schema: The schema.
        arguments: `Type.field` → its arguments, for fields below the roots that need some.
    """

    def __init__(self, schema: GraphQLSchema, arguments: Mapping[str, str]) -> None:
        self.schema = schema
        self._arguments = arguments
        self._entered: set[str] = set()

    def of_root(self, root: str) -> str:
        """The selection below a root field such as `Query.video`."""
        type_name, _, field_name = root.partition(".")
        field = self.schema.type_map[type_name].fields[field_name]
        self._entered.clear()
        if type_name == "Mutation":  # the objects of payloads are those of queries
            self._entered.update(name for name in self.schema.type_map if not name.endswith("Payload"))
        return self._below(get_named_type(field.type), ())

    def _below(self, kind: GraphQLNamedType, path: tuple[str, ...], *, in_full: bool = False) -> str:
        if is_leaf_type(kind):
            return ""
        if is_abstract_type(kind):
            branches = [
                f"... on {one.name} {self._below(one, path, in_full=True)}"
                for one in self.schema.get_possible_types(kind)
            ]
            return f"{{ __typename {' '.join(branches)} }}"
        # A type is not entered again below itself: what is there is the same.
        inner = (*path, kind.name)
        is_known = (
            not in_full and kind.name in self._entered and not kind.name.endswith(("Connection", "Edge"))
        )
        self._entered.add(kind.name)
        parts = [
            self._field(kind.name, name, field, inner)
            for name, field in kind.fields.items()
            if get_named_type(field.type).name not in inner
            and not (is_known and not is_leaf_type(get_named_type(field.type)))
        ]
        return f"{{ __typename {' '.join(parts)} }}"

    def _field(self, type_name: str, name: str, field: GraphQLField, path: tuple[str, ...]) -> str:
        arguments = self._arguments.get(f"{type_name}.{name}", "")
        needed = [
            key for key, one in field.args.items() if is_required_argument(one) and key not in arguments
        ]
        assert not needed, f"{type_name}.{name} needs {needed}: add it to ARGUMENTS"
        if "first" in field.args and not arguments:
            arguments = f"(first: {PAGE})"
        # Fields of the branches of an interface may differ in type: each has a name of its own.
        return f"{type_name}_{name}: {name}{arguments} {self._below(get_named_type(field.type), path)}"


def reached(value: Any) -> Iterator[str]:
    """Each `Type.field` that has a value in an answer to such a selection."""
    if isinstance(value, list):
        for one in value:
            yield from reached(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key == "__typename" or one is None:
                continue
            type_name, _, field_name = key.partition("_")
            if field_name:
                yield f"{type_name}.{field_name}"
            yield from reached(one)


def object_fields(schema: GraphQLSchema) -> dict[str, set[str]]:
    """The fields of each object type, roots left out."""
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    return {
        name: set(kind.fields)
        for name, kind in schema.type_map.items()
        if is_object_type(kind) and kind not in roots and not name.startswith("__")
    }


def root_fields(schema: GraphQLSchema) -> set[str]:
    """Each field of the roots, as `Query.video`."""
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    return {f"{root.name}.{name}" for root in roots for name in root.fields}
