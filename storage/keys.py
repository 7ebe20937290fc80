"""The names files are stored under."""

import re

from storage.errors import InvalidKeyError

MAX_KEY_LENGTH = 512
"""Half of what S3 allows, so that a prefix in the bucket still fits."""

_MAX_PART_LENGTH = 200
_PART = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_.\-]*")
_KEY = re.compile(rf"{_PART.pattern}(?:/{_PART.pattern})*")


def check_key(key: str) -> str:
    """Return `key` if it is a relative path like ``videos/0b1c/source.mp4``.

    Letters, digits and ``_ - .`` only, and no part starts with a dot: such a key means the same file on every
    file system and in S3, and needs no quoting in a URL.

    Raises:
        InvalidKeyError: The key is anything else, or longer than 512 characters.
    """
    if len(key) <= _MAX_PART_LENGTH and _KEY.fullmatch(key):
        return key
    if len(key) > MAX_KEY_LENGTH:
        raise InvalidKeyError(f"The storage key is {len(key)} characters long; {MAX_KEY_LENGTH} are allowed.")
    for part in key.split("/"):
        if len(part) > _MAX_PART_LENGTH or not _PART.fullmatch(part):
            raise InvalidKeyError(
                f"{key!r} is no storage key: use parts of letters, digits, '_', '-' and '.' joined by '/', "
                f"each at most {_MAX_PART_LENGTH} characters and none starting with a dot."
            )
    return key


def check_prefix(prefix: str) -> str:
    """Return `prefix`, a key that names a folder, without a closing slash; empty means everything.

    Raises:
        InvalidKeyError: The prefix is neither empty nor a key.
    """
    return check_key(prefix.removesuffix("/")) if prefix else ""
