"""The answers to requests that were not done."""

import math
from typing import Any

from starlette.responses import JSONResponse

from domain.errors import (
    DomainError,
    ErrorCode,
    ForbiddenError,
    InvalidError,
    LimitExceededError,
    NotFoundError,
    NotSignedInError,
    UserFacingError,
)
from domain.uploads.service import UploadExpiredError, UploadTakenOverError
from domain.uploads.writing import ChecksumMismatchError
from graphql_api.errors import BAD_USER_INPUT, UNAVAILABLE, domain_extensions, present_fault
from graphql_api.uploads.resumable.protocol import TusError
from storage.errors import StorageFullError

_LIMIT_STATUS = {"max_upload_bytes": 413, "min_free_bytes": 507, "mutation_rate_per_user": 429}
_STATUS: tuple[tuple[type[DomainError], int], ...] = (
    (UploadExpiredError, 410),
    (NotFoundError, 404),
    (InvalidError, 400),
    (NotSignedInError, 401),
    (ForbiddenError, 403),
    (UserFacingError, 403),
)


def refusal(error: Exception) -> JSONResponse:
    """The answer, in the form that errors have everywhere here; a fault of ours is logged."""
    match error:
        case TusError():
            status, message, extensions = error.status, error.message, _plain(error.status)
        case UploadTakenOverError():
            status, message = 409, "Another request goes on with this upload, or it has been ended."
            extensions = _plain(status)
        case ChecksumMismatchError():
            status, message = 460, "The bytes do not have this checksum; nothing of them is kept."
            extensions = _plain(status)
        case StorageFullError():
            status, message = 507, "The server has no room left for this upload (limit: min_free_bytes)."
            extensions = {"code": ErrorCode.LIMIT_EXCEEDED.value, "limit": "min_free_bytes"}
        case DomainError():
            status, message, extensions = _status_of(error), str(error), domain_extensions(error)
        case _:
            message, extensions = present_fault(error)
            status = 503 if extensions["code"] == UNAVAILABLE else 500
    headers = dict(error.headers) if isinstance(error, TusError) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    elif status in (429, 503):
        headers.setdefault("Retry-After", str(_wait_seconds(error)))
    return JSONResponse({"errors": [{"message": message, "extensions": extensions}]}, status, headers)


def _status_of(error: DomainError) -> int:
    if isinstance(error, LimitExceededError):
        return _LIMIT_STATUS.get(error.limit, 403)
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 400)


def _wait_seconds(error: Exception) -> int:
    known = error.wait_seconds if isinstance(error, LimitExceededError) else None
    return max(1, math.ceil(known or 0))


def _plain(status: int) -> dict[str, Any]:
    codes = {404: ErrorCode.NOT_FOUND, 409: ErrorCode.CONFLICT, 410: ErrorCode.NOT_FOUND}
    if status in codes:
        return {"code": codes[status].value}
    return {"code": UNAVAILABLE if status == 503 else BAD_USER_INPUT}
