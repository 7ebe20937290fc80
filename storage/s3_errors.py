"""What the errors of an S3 server mean for a storage."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import ClientError as HttpClientError
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError

from storage.errors import (
    FileMissingError,
    StorageConfigurationError,
    StorageError,
    StorageFullError,
    StorageUnavailableError,
)

_MISSING = {"NoSuchKey", "NoSuchUpload", "InvalidPart", "404", "NotFound"}
_NO_ROOM = {
    "QuotaExceeded",
    "EntityTooLarge",
    "InsufficientStorage",
    "507",
    "InsufficientCapacity",
    "XMinioStorageFull",
}
_REFUSED = {
    "301",
    "400",
    "403",
    "AccessDenied",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "InvalidAccessKeyId",
    "InvalidBucketName",
    "NoSuchBucket",
    "PermanentRedirect",
    "SignatureDoesNotMatch",
}


@contextmanager
def s3_errors(key: str) -> Iterator[None]:
    """Turn an error of boto, of the server or of the connection into a `StorageError`."""
    try:
        yield
    except ClientError as error:
        raise _of_server(key, error) from error
    except (NoCredentialsError, ParamValidationError) as error:
        raise StorageConfigurationError(f"The S3 storage is not set up: {error}") from error
    except (BotoCoreError, HttpClientError, OSError, TimeoutError) as error:
        raise StorageUnavailableError(f"The S3 server did not answer for {key!r}: {error}") from error


def error_code(error: ClientError) -> str:
    """The server's code, such as ``NoSuchKey``; the HTTP status where it sent none, as for HEAD."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _of_server(key: str, error: ClientError) -> StorageError:
    code = error_code(error)
    if code in _MISSING:
        return FileMissingError(f"Nothing is stored under {key!r}.")
    if code in _NO_ROOM:
        return StorageFullError(f"There is no room to store {key!r}: the S3 server says {code}.")
    if code in _REFUSED:
        return StorageConfigurationError(
            f"The S3 server refuses {key!r} ({code}): check bucket and credentials."
        )
    return StorageUnavailableError(f"The S3 server failed for {key!r}: {error}")
