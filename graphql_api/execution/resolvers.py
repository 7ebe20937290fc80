"""Shorter ways to the resolvers of the fields of `Query`.

For each call Strawberry looks up how to convert the arguments and puts the permissions' and the resolver's
functions together. For a field that has permissions and nothing else all that is known beforehand.
"""

from collections.abc import Awaitable, Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any
from weakref import WeakSet

import strawberry
from graphql import GraphQLField, GraphQLResolveInfo
from strawberry.permission import BasePermission, PermissionExtension
from strawberry.relay.types import GlobalID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument, _is_leaf_type, convert_argument
from strawberry.types.base import StrawberryOptional
from strawberry.types.enum import has_enum_definition
from strawberry.types.field import StrawberryField

_Convert = Callable[[Any, Any], Any]
_Resolve = Callable[..., Awaitable[Any]]
_SHORT: WeakSet[_Resolve] = WeakSet()


def shorten_resolvers(schema: strawberry.Schema) -> None:
    """Give the fields of `Query` that have permissions and nothing else shorter resolvers."""
    query = schema._schema.query_type
    for field in query.fields.values() if query is not None else ():
        short = _short_resolver(field, schema)
        if short is not None:
            field.resolve = short
            _SHORT.add(short)


def is_short(resolve: Any) -> bool:
    """Whether a resolver is one of these: it is asynchronous, and knows nothing of executors."""
    return resolve in _SHORT


def _short_resolver(field: GraphQLField, schema: strawberry.Schema) -> _Resolve | None:
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    permissions = _permissions(definition) if isinstance(definition, StrawberryField) else None
    resolver = definition.base_resolver if isinstance(definition, StrawberryField) else None
    if definition is None or permissions is None or resolver is None or not resolver.is_async:
        return None
    # It takes the source as `self` and the information as `info`, as all of ours do.
    if resolver.self_parameter is None or resolver.root_parameter or resolver.parent_parameter:
        return None
    if resolver.info_parameter is None or resolver.info_parameter.name != "info":
        return None
    converter = schema.schema_converter
    conversions = [
        (converter.config.name_converter.from_argument(one), one.python_name, _conversion(one, converter))
        for one in definition.arguments
    ]
    make_info: Any = converter.config.info_class
    call: Any = resolver

    async def resolve(source: Any, info: GraphQLResolveInfo[Any], **given: Any) -> Any:
        ours = make_info(_raw_info=info, _field=definition)
        arguments = {
            python_name: convert(given[name], ours)
            for name, python_name, convert in conversions
            if name in given
        }
        for permission in permissions:
            if await permission.has_permission(source, ours, **arguments) is not True:
                return permission.on_unauthorized()
        return await call(source, info=ours, **arguments)

    return resolve


def _permissions(definition: StrawberryField) -> Sequence[Any] | None:
    """The permissions of a field that has no other extensions."""
    found: list[BasePermission] = []
    for extension in definition.extensions:
        if type(extension) is not PermissionExtension or extension.fail_silently:
            return None
        found += extension.permissions
    return found if all(iscoroutinefunction(one.has_permission) for one in found) else None


def _conversion(argument: StrawberryArgument, converter: GraphQLCoreConverter) -> _Convert:
    kind, registry, config = argument.type, converter.scalar_registry, converter.config
    inner = kind.of_type if type(kind) is StrawberryOptional else kind
    if _is_leaf_type(inner, registry, skip_classes=(GlobalID,)) or has_enum_definition(inner):
        return lambda value, _info: value
    path = (config.name_converter.from_argument(argument),)

    def convert(value: Any, info: Any) -> Any:
        return convert_argument(value, kind, registry, config, info, path=path)

    if type(kind) is StrawberryOptional:
        return lambda value, info: None if value is None else convert(value, info)
    return convert
