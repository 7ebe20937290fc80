"""The decorators of resolvers: typed, with the permission and error handling that every field shares."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, cast

import strawberry
from strawberry.permission import BasePermission
from strawberry.types.field import StrawberryField

from graphql_api.errors import Payload, ReturnsUserErrors
from graphql_api.permissions import IsSignedIn

P = TypeVar("P", bound=Payload)


def field(
    description: str, *, signed_in: bool = False, name: str | None = None, deprecated: str | None = None
) -> Callable[[Callable[..., Any]], StrawberryField]:
    """A field with a resolver. `signed_in`: only for signed-in users."""
    return cast(
        "Callable[[Callable[..., Any]], StrawberryField]",
        strawberry.field(
            name=name,
            description=description,
            permission_classes=_permissions(signed_in),
            deprecation_reason=deprecated,
        ),
    )


def mutation(
    description: str, *, signed_in: bool = True, name: str | None = None
) -> Callable[[Callable[..., Awaitable[P]]], StrawberryField]:
    """A mutation: an async resolver that returns its payload; a `UserFacingError` becomes `userErrors`."""
    return cast(
        "Callable[[Callable[..., Awaitable[P]]], StrawberryField]",
        strawberry.mutation(
            name=name,
            description=description,
            permission_classes=_permissions(signed_in),
            extensions=[ReturnsUserErrors()],
        ),
    )


def subscription(
    description: str, *, signed_in: bool = True, name: str | None = None
) -> Callable[[Callable[..., AsyncIterator[Any]]], StrawberryField]:
    """A subscription: an async generator. It ends with the socket's sign-in; see `graphql_api.websocket`."""
    return cast(
        "Callable[[Callable[..., AsyncIterator[Any]]], StrawberryField]",
        strawberry.subscription(
            name=name, description=description, permission_classes=_permissions(signed_in)
        ),
    )


def _permissions(signed_in: bool) -> list[type[BasePermission]]:
    return [IsSignedIn] if signed_in else []
