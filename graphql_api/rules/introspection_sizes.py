"""How long the lists of the introspection are."""

from collections.abc import Iterable, Mapping, Sized
from functools import lru_cache

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    is_abstract_type,
)


@lru_cache(maxsize=8)
def introspection_sizes(schema: GraphQLSchema) -> Mapping[tuple[str, str], float]:
    """By type and field, the length of a list: on average where there are many lists of the name."""
    types = list(schema.type_map.values())
    fields = [
        field
        for kind in types
        if isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType))
        for field in kind.fields.values()
    ]
    per_type = {
        "fields": fields,
        "interfaces": [
            interface
            for kind in types
            if isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType))
            for interface in kind.interfaces
        ],
        "possibleTypes": [
            possible
            for kind in types
            if is_abstract_type(kind)
            for possible in schema.get_possible_types(kind)
        ],
        "enumValues": [value for kind in types if isinstance(kind, GraphQLEnumType) for value in kind.values],
        "inputFields": [
            name for kind in types if isinstance(kind, GraphQLInputObjectType) for name in kind.fields
        ],
    }
    return {
        ("__Schema", "types"): len(types),
        ("__Schema", "directives"): len(schema.directives),
        ("__Field", "args"): _average((field.args for field in fields), len(fields)),
        ("__Directive", "args"): _average(
            (directive.args for directive in schema.directives), len(schema.directives)
        ),
        **{("__Type", name): len(items) / len(types) for name, items in per_type.items()},
    }


def _average(lists: Iterable[Sized], count: int) -> float:
    return sum(len(items) for items in lists) / max(count, 1)
