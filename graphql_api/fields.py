"""The decorators of resolvers: typed, with the permission and error handling that every field shares."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias, TypeVar, cast

import strawberry
from strawberry.permission import BasePermission
from strawberry.types.field import StrawberryField

from graphql_api.errors import Payload, ReturnsUserErrors
from graphql_api.execution.attributes import READ_AHEAD
from graphql_api.permissions import IsAdmin, IsSignedIn
from graphql_api.rate_limits.mutations import CountsForRate

P = TypeVar("P", bound=Payload)
_Stream: TypeAlias = AsyncIterator[Any] | Awaitable[AsyncIterator[Any]]


def field(
    description: str,
    *,
    signed_in: bool = False,
    name: str | None = None,
    deprecated: str | None = None,
    read_ahead: bool = False,
) -> Callable[[Callable[..., Any]], StrawberryField]:
    """A field with a resolver.

    `signed_in`: only for signed-in users. `read_ahead`: a list of such objects may have its values for all of
    them already, see `graphql_api.execution.ahead`.
    """
    return cast(
        "Callable[[Callable[..., Any]], StrawberryField]",
        strawberry.field(
            name=name,
            description=description,
            permission_classes=_permissions(signed_in),
            deprecation_reason=deprecated,
            metadata={READ_AHEAD: read_ahead},
        ),
    )


def mutation(
    description: str,
    *,
    signed_in: bool = True,
    admin: bool = False,
    name: str | None = None,
    counted: bool = False,
) -> Callable[[Callable[..., Awaitable[P]]], StrawberryField]:
    """A mutation: an async resolver that returns its payload; a `UserFacingError` becomes `userErrors`.

    `admin`: only for administrators. `counted`: how often somebody may call it, and others like it, is
    limited by `mutation_rate_per_user`.
    """
    return cast(
        "Callable[[Callable[..., Awaitable[P]]], StrawberryField]",
        strawberry.mutation(
            name=name,
            description=description,
            permission_classes=[*_permissions(signed_in), *([IsAdmin] if admin else [])],
            # The last one is the outermost.
            extensions=[*([CountsForRate()] if counted else []), ReturnsUserErrors()],
        ),
    )


def counted_query(description: str) -> Callable[[Callable[..., Awaitable[P]]], StrawberryField]:
    """A query that costs as much as a mutation: it is counted and returns a payload as those do."""
    return cast(
        "Callable[[Callable[..., Awaitable[P]]], StrawberryField]",
        strawberry.field(
            description=description,
            permission_classes=_permissions(signed_in=True),
            extensions=[CountsForRate(), ReturnsUserErrors()],
        ),
    )


def subscription(
    description: str, *, signed_in: bool = True, name: str | None = None
) -> Callable[[Callable[..., _Stream]], StrawberryField]:
    """A subscription: an async generator, or a coroutine that gives a `Feed` which subscribers may share.

    It ends with the sign-in of its socket: no resolver has to look after that. See `graphql_api.websocket`.
    """
    return cast(
        "Callable[[Callable[..., _Stream]], StrawberryField]",
        strawberry.subscription(
            name=name, description=description, permission_classes=_permissions(signed_in)
        ),
    )


def _permissions(signed_in: bool) -> list[type[BasePermission]]:
    return [IsSignedIn] if signed_in else []
