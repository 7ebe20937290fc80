"""How errors reach a client.

What the caller did wrong in a mutation is an entry of the payload's `userErrors`. Everything else is a
top-level error whose `extensions.code` says what kind it is: `UNAUTHENTICATED`, `FORBIDDEN`,
`BAD_USER_INPUT`, an `ErrorCode`, `UNAVAILABLE`, or `INTERNAL`. An internal error shows nothing but an id,
under which the log has the traceback.
"""

import logging
import secrets
import typing
from collections.abc import Awaitable, Callable
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.extensions import FieldExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from domain.errors import (
    AsWritten,
    DomainError,
    ErrorCode,
    ForbiddenError,
    LimitExceededError,
    NotSignedInError,
    UserFacingError,
)
from domain.events import EventsUnavailableError
from domain.outages import database_outage, is_outage
from storage.errors import StorageFullError, StorageUnavailableError

logger = logging.getLogger(__name__)

UNAUTHENTICATED = "UNAUTHENTICATED"
BAD_USER_INPUT = "BAD_USER_INPUT"
FORBIDDEN = "FORBIDDEN"
UNAVAILABLE = "UNAVAILABLE"
INTERNAL = "INTERNAL"

TRY_LATER = "The server cannot do this at the moment. Try again later."

_CLIENT_MISTAKES = (StrawberryInputCoercionError, CannotGetOperationTypeError, InvalidOperationTypeError)

strawberry.enum(ErrorCode, name="UserErrorCode", description="What kind of mistake the caller made.")


@strawberry.type(description="Something the caller did wrong, and can put right.")
class UserError:
    code: ErrorCode = strawberry.field(description="What kind of mistake it was.")
    message: str = strawberry.field(description="What is wrong, in a sentence for people.")
    path: list[str] = strawberry.field(
        description="The argument it is about, from the outermost name in; empty when it is about none."
    )


@strawberry.type
class Payload:
    """What every mutation returns, and a query that says as they do what the caller did wrong.

    Each field that a subclass adds needs a default.
    """

    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="What the caller did wrong; empty when it worked."
    )


def user_error(error: UserFacingError, argument_names: typing.Collection[str] = ()) -> UserError:
    """The entry of `userErrors` for an error of a use case.

    A use case knows the names inside the mutation's `input`, not that there is one: `input` is put first
    where the mutation has that argument and the path starts with none of its arguments.
    """
    path = [_shown(part) for part in error.path]
    names = {to_camel_case(name) for name in argument_names}
    if path and path[0] not in names and "input" in names:
        path.insert(0, "input")
    return UserError(code=error.code, message=error.message, path=path)


def _shown(part: str) -> str:
    return str(part) if part.isdigit() or isinstance(part, AsWritten) else to_camel_case(part)


class ReturnsUserErrors(FieldExtension):
    """Makes a mutation return its payload with `userErrors` instead of raising a `UserFacingError`."""

    def apply(self, field: StrawberryField) -> None:
        """Remember the mutation's payload type and arguments."""
        self._field = field

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **kwargs: Any
    ) -> Any:
        """Run the mutation."""
        try:
            return await next_(source, info, **kwargs)
        except UserFacingError as error:
            names = [argument.python_name for argument in self._field.arguments]
            payload_type = typing.cast(type[Payload], self._field.type)
            return payload_type(user_errors=[user_error(error, names)])


def present(error: GraphQLError) -> GraphQLError:
    """The error as a client may see it; an error presented before stays as it is."""
    cause = _cause(error)
    if isinstance(cause, RecursionError):
        error = GraphQLError("The document is nested too deeply.", extensions={"code": BAD_USER_INPUT})
    elif isinstance(cause, DomainError):
        error.extensions = domain_extensions(cause)
    elif cause is None or isinstance(cause, (GraphQLError, *_CLIENT_MISTAKES)):
        error.extensions = {"code": BAD_USER_INPUT, **(error.extensions or {})}
    else:
        return _masked(error, cause)
    return error


def forget_frames(error: BaseException) -> None:
    """Let go of the frames in which an error came about.

    They hold what the request held, and a frame that holds its own error is freed by the garbage collector
    alone, which runs rarely here.
    """
    waiting: list[BaseException | None] = [error]
    seen = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = None
            waiting += [one.__cause__, one.__context__, getattr(one, "original_error", None)]


def present_fault(cause: BaseException) -> tuple[str, dict[str, Any]]:
    """Log what is not the client's fault; a message and the `extensions` that the client may see.

    That the database or the storage is away is said in a line, a fault of ours with its traceback.
    """
    if is_outage(cause):
        database_outage.failed("requests are refused", cause)
    elif isinstance(cause, (StorageUnavailableError, StorageFullError)):
        logger.warning("A request is refused: %s", cause)
    else:
        return "Internal error", _internal_extensions(cause)
    return TRY_LATER, {"code": UNAVAILABLE}


def _internal_extensions(cause: BaseException) -> dict[str, Any]:
    error_id = secrets.token_hex(8)
    logger.error("Internal error %s", error_id, exc_info=cause)
    return {"code": INTERNAL, "errorId": error_id}


def _cause(error: GraphQLError) -> Exception | None:
    """The innermost exception; graphql-core may have wrapped it more than once."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def domain_extensions(cause: DomainError) -> dict[str, Any]:
    """The `extensions` of a top-level error that a use case raised."""
    if isinstance(cause, NotSignedInError):
        return {"code": UNAUTHENTICATED}
    if isinstance(cause, ForbiddenError):
        return {"code": FORBIDDEN}
    if not isinstance(cause, UserFacingError):
        return {"code": BAD_USER_INPUT}
    invalid = cause.code is ErrorCode.INVALID
    extensions: dict[str, Any] = {"code": BAD_USER_INPUT if invalid else cause.code.value}
    if isinstance(cause, LimitExceededError):
        extensions["limit"] = cause.limit
    if isinstance(cause, EventsUnavailableError):
        extensions |= {"oldest": cause.span.oldest, "newest": cause.span.newest}
    return extensions


def _masked(error: GraphQLError, cause: Exception) -> GraphQLError:
    message, extensions = present_fault(cause)
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
