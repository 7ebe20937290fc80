"""Access tokens (JWT), refresh tokens, and the server's secret."""

import contextlib
import hashlib
import hmac
import os
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from uuid import UUID

import jwt

from domain.errors import NotSignedInError

SECRET_BYTES = 32

_ALGORITHM = "HS256"
_TYPE = "access"


class SecretFileError(Exception):
    """Raised when the file that should hold the server's secret holds something else."""


@dataclass(frozen=True)
class AccessToken:
    """A signed token and when it stops working."""

    token: str
    expires_at: datetime


@dataclass(frozen=True)
class AccessClaims:
    """What a valid access token says."""

    user_id: UUID
    session_id: UUID
    expires_at: datetime


def issue_access_token(
    secret: bytes, *, user_id: UUID, session_id: UUID, lifetime_seconds: int
) -> AccessToken:
    """A token that lets its bearer act as the user until it expires or the session ends."""
    issued = int(time.time())
    expires = issued + lifetime_seconds
    claims = {"sub": str(user_id), "sid": str(session_id), "iat": issued, "exp": expires, "type": _TYPE}
    token = jwt.encode(claims, derive_key(secret, _TYPE), algorithm=_ALGORITHM)
    return AccessToken(token, datetime.fromtimestamp(expires, UTC))


def read_access_token(token: str, secret: bytes) -> AccessClaims:
    """Check a token's signature, type and life.

    Raises:
        NotSignedInError: It is not one of ours, or it has expired.
    """
    claims = _signed_claims(token, secret)
    if claims.expires_at.timestamp() <= time.time():
        raise NotSignedInError("The access token has expired.")
    return claims


@lru_cache(maxsize=1024)
def _signed_claims(token: str, secret: bytes) -> AccessClaims:
    """The claims of a token; those of good ones are remembered, for a client sends its token each time."""
    try:
        claims = jwt.decode(
            token,
            derive_key(secret, _TYPE),
            algorithms=[_ALGORITHM],
            options={"require": ["sub", "sid", "exp", "iat", "type"]},
        )
        if claims["type"] != _TYPE:
            raise NotSignedInError("The access token is not valid.")
        return AccessClaims(
            UUID(claims["sub"]), UUID(claims["sid"]), datetime.fromtimestamp(claims["exp"], UTC)
        )
    except jwt.ExpiredSignatureError:
        raise NotSignedInError("The access token has expired.") from None
    except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError, OverflowError):
        raise NotSignedInError("The access token is not valid.") from None


def new_refresh_token() -> str:
    """A token of 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_refresh_token(token: str) -> str:
    """What is stored of a refresh token; it is random, so one plain SHA-256 keeps it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, so that what is signed for one is worth nothing for another."""
    return hmac.new(secret, f"framewise {purpose}".encode(), hashlib.sha256).digest()


def load_or_create_secret(data_dir: Path) -> bytes:
    """The server's secret: 32 random bytes in the file `secret`, readable by its owner only.

    Processes that start at once get the same one.

    Raises:
        SecretFileError: The file holds something else.
    """
    path = data_dir / "secret"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        _create_once(path, secrets.token_bytes(SECRET_BYTES))
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise SecretFileError(
            f"{path} should hold {SECRET_BYTES} random bytes but holds {len(secret)}. "
            "Restore it from a backup, or delete it to have a new one made: all must then sign in again."
        )
    path.chmod(0o600)
    return secret


def _create_once(path: Path, content: bytes) -> None:
    """Write the file whole or not at all; if another process was first, its file stays."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()
