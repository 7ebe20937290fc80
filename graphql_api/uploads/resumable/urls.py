"""The URLs of uploads. Each carries the right to its upload, since an upload outlives any access token."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

PATH = "/uploads"

_PURPOSE = b"framewise upload 1"
"""Keeps a signature of anything else that is made with the same secret from passing for one of an upload."""

_ID_BYTES = 16
_SIGNATURE_BYTES = 17
"""So that both together need no padding in base64."""

_NAME_LENGTH = 44


def upload_path(upload_id: UUID, secret: bytes) -> str:
    """The path that gives whoever knows it the right to send this upload, to ask how far it is, to end it."""
    name = urlsafe_b64encode(upload_id.bytes + _signature(upload_id.bytes, secret)).decode()
    return f"{PATH}/{name}"


def upload_of(name: str, secret: bytes) -> UUID | None:
    """The upload whose path ends in `name`; None for a name that was not made here."""
    if len(name) != _NAME_LENGTH or not name.isascii():
        return None
    try:
        data = urlsafe_b64decode(name)
    except ValueError:
        return None
    key, signature = data[:_ID_BYTES], data[_ID_BYTES:]
    return UUID(bytes=key) if hmac.compare_digest(signature, _signature(key, secret)) else None


def _signature(key: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, _PURPOSE + key, hashlib.sha256)[:_SIGNATURE_BYTES]
