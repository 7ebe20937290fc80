"""Random queries on any schema: fragments, directives, aliases, merged fields, `__typename`."""

from random import Random

from graphql import (
    GraphQLNamedType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_object_type,
    is_required_argument,
)

HEAD = "query($yes: Boolean!, $no: Boolean!)"


class QueryMaker:
    """Makes queries.

    Args:
        schema: What to ask.
        random: Where the choices come from.
        left_out: Names of fields that are never asked.
    """

    def __init__(self, schema: GraphQLSchema, random: Random, left_out: frozenset[str] = frozenset()) -> None:
        self._schema = schema
        self._random = random
        self._left_out = left_out
        self._fragments: list[str] = []

    def make(self, roots: list[str], depth: int = 5) -> str:
        """A query that asks one of these root fields."""
        query = self._schema.query_type
        name = self._random.choice(roots)
        selection = self._field(query, name, depth)
        return "\n".join(
            [f"{HEAD} {{ {selection} used: __typename @include(if: $yes) @skip(if: $no) }}", *self._fragments]
        )

    def _selections(self, kind: GraphQLNamedType, depth: int) -> str:
        count = self._random.randint(1, 5)
        parts = [self._selection(kind, depth) for _ in range(count)]
        return (
            "{ "
            + " ".join(["__typename" if self._random.random() < 0.3 else "", *parts, "t: __typename"])
            + " }"
        )

    def _selection(self, kind: GraphQLNamedType, depth: int) -> str:
        choice = self._random.random()
        if choice < 0.12:
            return (
                f"... {self._directive()} {self._selections(kind, depth - 1)}" if depth > 0 else "__typename"
            )
        if choice < 0.24 and depth > 0:
            return (
                f"... on {self._possible(kind).name} {self._directive()} {self._on_possible(kind, depth - 1)}"
            )
        if choice < 0.36 and depth > 0:
            name = f"F{len(self._fragments)}"
            self._fragments.append("")
            self._fragments[int(name[1:])] = (
                f"fragment {name} on {kind.name} {self._selections(kind, depth - 1)}"
            )
            spread = f"...{name} {self._directive()}"
            return f"{spread} {spread}" if self._random.random() < 0.2 else spread
        if is_abstract_type(kind) and not getattr(kind, "fields", None):
            return "__typename"
        names = [
            name
            for name, field in kind.fields.items()
            if name not in self._left_out
            and not any(is_required_argument(argument) for argument in field.args.values())
            and (depth > 0 or is_leaf_type(get_named_type(field.type)))
        ]
        return self._field(kind, self._random.choice(names), depth) if names else "__typename"

    def _possible(self, kind: GraphQLNamedType) -> GraphQLNamedType:
        self._chosen = (
            self._random.choice(list(self._schema.get_possible_types(kind)))
            if is_abstract_type(kind)
            else kind
        )
        return self._chosen

    def _on_possible(self, kind: GraphQLNamedType, depth: int) -> str:
        return self._selections(self._chosen, depth)

    def _field(self, kind: GraphQLNamedType, name: str, depth: int) -> str:
        field = kind.fields[name]
        arguments = "(first: 3)" if "first" in field.args else ""
        inner = get_named_type(field.type)
        # The same field under the same alias everywhere, so that nothing conflicts.
        alias = (
            f"{name}_{kind.name if is_object_type(kind) else 'x'}: " if self._random.random() < 0.3 else ""
        )
        if not is_object_type(kind):
            alias = ""
        below = "" if is_leaf_type(inner) else self._selections(inner, depth - 1)
        return f"{alias}{name}{arguments} {self._directive()} {below}"

    def _directive(self) -> str:
        return self._random.choice(
            [
                "",
                "",
                "",
                "",
                "@skip(if: $no)",
                "@include(if: $yes)",
                "@skip(if: $yes)",
                "@include(if: true) @skip(if: $no)",
            ]
        )
