"""docs/reference.md: the schema for people, made from the schema."""

from collections.abc import Iterator

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLNamedType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_object_type,
    is_scalar_type,
    print_ast,
)

_HEAD = """# Reference of the GraphQL schema

Made from the schema by `make schema`; [api.md](api.md) says how to use it. `!` marks what is never null.
"""
_BUILT_IN = ("String", "Int", "Float", "Boolean", "ID")


def reference(schema_text: str) -> str:
    """The page, in Markdown."""
    return "\n".join(_lines(build_schema(schema_text))).rstrip() + "\n"


def _lines(schema: GraphQLSchema) -> Iterator[str]:
    yield _HEAD
    roots = {
        "Queries": schema.query_type,
        "Mutations": schema.mutation_type,
        "Subscriptions": schema.subscription_type,
    }
    for title, root in roots.items():
        if root is not None:
            yield f"## {title}\n"
            for name, field in root.fields.items():
                yield from _operation(f"{root.name}.{name}", field)
    own = [
        kind
        for name, kind in sorted(schema.type_map.items())
        if not name.startswith("__") and name not in _BUILT_IN and kind not in roots.values()
    ]
    for title, is_of_kind in (
        ("Objects", lambda kind: is_object_type(kind) or is_interface_type(kind)),
        ("Inputs", is_input_object_type),
        ("Enums", is_enum_type),
        ("Scalars", is_scalar_type),
    ):
        yield f"## {title}\n"
        for kind in filter(is_of_kind, own):
            yield from _type(kind)


def _operation(name: str, field: GraphQLField) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{_text(field.description)}{_deprecation(field.deprecation_reason)}\n"
    yield f"Gives {_link(field.type)}.\n"
    if field.args:
        yield from _table("Argument", field.args)


def _type(kind: GraphQLNamedType) -> Iterator[str]:
    yield f"### {kind.name}\n"
    yield f"{_text(kind.description)}\n"
    if is_enum_type(kind):
        yield from _values(kind)
    elif is_input_object_type(kind):
        yield from _table("Field", kind.fields)
    elif is_object_type(kind) or is_interface_type(kind):
        yield "| Field | Type | |\n|---|---|---|"
        for name, field in kind.fields.items():
            text = _text(field.description) + _deprecation(field.deprecation_reason)
            yield f"| `{name}` | {_link(field.type)} | {text}{_arguments(field)} |"
        yield ""


def _values(kind: GraphQLEnumType) -> Iterator[str]:
    yield "| Value | |\n|---|---|"
    for name, value in kind.values.items():
        yield f"| `{name}` | {_text(value.description)}{_deprecation(value.deprecation_reason)} |"
    yield ""


def _table(title: str, members: dict[str, GraphQLArgument] | dict[str, GraphQLInputField]) -> Iterator[str]:
    yield f"| {title} | Type | Default | |\n|---|---|---|---|"
    for name, member in members.items():
        text = _text(member.description) + _deprecation(member.deprecation_reason)
        yield f"| `{name}` | {_link(member.type)} | {_default(member)} | {text} |"
    yield ""


def _default(member: GraphQLArgument | GraphQLInputField) -> str:
    node = None if member.ast_node is None else member.ast_node.default_value
    return "" if node is None else f"`{print_ast(node)}`"


def _arguments(field: GraphQLField) -> str:
    if not field.args:
        return ""
    told = (f"`{name}`: {_text(one.description)}" for name, one in field.args.items())
    return "<br>" + "<br>".join(told)


def _link(kind: object) -> str:
    name = get_named_type(kind).name  # type: ignore[arg-type]
    return f"`{kind}`" if name in _BUILT_IN else f"[`{kind}`](#{name.lower()})"


def _text(description: str | None) -> str:
    return " ".join((description or "").split()).replace("|", "\\|")


def _deprecation(reason: str | None) -> str:
    return "" if reason is None else f" **Deprecated**: {_text(reason)}"
