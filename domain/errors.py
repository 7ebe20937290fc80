"""What a caller can do wrong: raised by use cases, shown to the caller as they are."""

from collections.abc import Sequence
from enum import StrEnum


class ErrorCode(StrEnum):
    """What kind of mistake it was."""

    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    UNSUPPORTED_MEDIA = "UNSUPPORTED_MEDIA"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    WRONG_CREDENTIALS = "WRONG_CREDENTIALS"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"


class DomainError(Exception):
    """The base of everything a use case refuses."""


class NotSignedInError(DomainError):
    """Raised when there is no valid sign-in: no token, a bad or expired one, or an ended session."""

    def __init__(self, message: str = "Sign in to do this.") -> None:
        super().__init__(message)


class ForbiddenError(DomainError):
    """Raised when a request is refused for where it comes from, or for who sent it."""


class AsWritten(str):
    """A part of a path that the caller wrote: shown as it is, not as names of the schema are spelt."""

    __slots__ = ()


class UserFacingError(DomainError):
    """The base of mistakes of a signed-in or anonymous caller.

    Args:
        message: A sentence for the caller: what is wrong and, where it is not obvious, what to do.
        path: Names of the arguments from the outermost in, in snake_case; a list index is its number.
            What is no name of the schema is `AsWritten`.
        code: Set by the subclass.
    """

    code: ErrorCode = ErrorCode.INVALID

    def __init__(self, message: str, path: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = tuple(_path_part(part) for part in path)

    def under(self, *prefix: str | int) -> "UserFacingError":
        """The same error with its path below `prefix`, for a use case that calls another one."""
        self.path = (*(_path_part(part) for part in prefix), *self.path)
        return self


def _path_part(part: str | int) -> str:
    return part if isinstance(part, str) else str(part)


class InvalidError(UserFacingError):
    """Raised when a value breaks a rule that the schema cannot express."""


class NotFoundError(UserFacingError):
    """Raised when there is no such object, or it belongs to somebody else."""

    code = ErrorCode.NOT_FOUND


class ConflictError(UserFacingError):
    """Raised when the object's present state, or another object, forbids it."""

    code = ErrorCode.CONFLICT


class LimitExceededError(UserFacingError):
    """Raised when a limit of this server is passed.

    Args:
        message: As of every `UserFacingError`.
        limit: The name of the setting.
        path: As of every `UserFacingError`.
        wait_seconds: After which it may be tried again; None where time alone does not help.
    """

    code = ErrorCode.LIMIT_EXCEEDED

    def __init__(
        self,
        message: str,
        *,
        limit: str,
        path: Sequence[str | int] = (),
        wait_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{message} (limit: {limit})", path)
        self.limit = limit
        self.wait_seconds = wait_seconds


class UnsupportedMediaError(UserFacingError):
    """Raised when a file is not a video that can be analysed."""

    code = ErrorCode.UNSUPPORTED_MEDIA


class ModelUnavailableError(UserFacingError):
    """Raised when an ML model cannot be used: its weights or its package are missing."""

    code = ErrorCode.MODEL_UNAVAILABLE


class WrongCredentialsError(UserFacingError):
    """Raised when a username, password or refresh token is not right, without saying which."""

    code = ErrorCode.WRONG_CREDENTIALS


class IdempotencyMismatchError(UserFacingError):
    """Raised when an idempotency key comes back with another input."""

    code = ErrorCode.IDEMPOTENCY_MISMATCH
