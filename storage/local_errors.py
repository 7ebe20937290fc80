"""What the operating system's errors mean for a storage."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import (
    FileMissingError,
    InvalidKeyError,
    StorageError,
    StorageFullError,
    StorageUnavailableError,
)

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def reading(key: str) -> Iterator[None]:
    """Turn an OSError of reading `key` into a `StorageError`."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise FileMissingError(f"Nothing is stored under {key!r}.") from error
    except OSError as error:
        raise StorageUnavailableError(f"{key!r} cannot be read: {error.strerror}.") from error


@contextmanager
def writing(key: str) -> Iterator[None]:
    """Turn an OSError of writing or removing `key` into a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise _writing_error(key, error) from error


def is_lack_of_room(error: OSError) -> bool:
    """Whether a disk, a quota or a file-size limit is the cause."""
    return error.errno in _NO_ROOM


def _writing_error(key: str, error: OSError) -> StorageError:
    if is_lack_of_room(error):
        return StorageFullError(f"There is no room to store {key!r}: {error.strerror}.")
    if isinstance(error, (NotADirectoryError, IsADirectoryError, FileExistsError)):
        return InvalidKeyError(
            f"{key!r} cannot be stored: a folder has that name, or a file has the name of one of its folders."
        )
    return StorageUnavailableError(f"{key!r} cannot be stored: {error.strerror}.")
