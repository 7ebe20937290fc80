"""Sessions of accounts: their tokens, who a request comes from, and how they end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from domain.accounts.audit import UNKNOWN_CALLER, AuditKind, Caller, Person, tell, write_entry
from domain.accounts.models import RefreshToken, Session, User
from domain.accounts.tokens import (
    AccessToken,
    hash_refresh_token,
    issue_access_token,
    new_refresh_token,
    read_access_token,
)
from domain.errors import NotSignedInError, WrongCredentialsError
from domain.sql import fetch_values, stored_moment

_USER_COLUMNS = tuple(User._meta.fields_db_projection.values())
_SESSION_SQL = (
    f"SELECT sessions.expires_at, {', '.join(f'users.{column}' for column in _USER_COLUMNS)} "  # noqa: S608
    "FROM sessions JOIN users ON users.id = sessions.user_id "
    "WHERE sessions.id = ? AND sessions.user_id = ? AND sessions.revoked_at IS NULL"
)


@dataclass(frozen=True)
class AccountSettings:
    """How accounts work on this server."""

    secret: bytes
    access_token_seconds: int
    refresh_token_seconds: int
    allow_sign_up: bool = True


@dataclass(frozen=True)
class SignedIn:
    """A session as its owner gets it; the refresh token is known only here."""

    user: User
    session_id: UUID
    access_token: AccessToken
    refresh_token: str


@dataclass(frozen=True, eq=False)
class Viewer:
    """Who a request comes from.

    Args:
        row: The values of the user's columns as they were read.
        user_id: The user's id.
        session_id: The id of the session.
        token_expires_at: When the access token ends, if the session does not end before.
    """

    row: Sequence[Any]
    user_id: UUID
    session_id: UUID
    token_expires_at: datetime

    @cached_property
    def user(self) -> User:
        """The user; most requests need no more than their id."""
        values = dict(zip(_USER_COLUMNS, self.row, strict=True))
        values["created_at"] = stored_moment(values["created_at"])
        return User._init_from_db(**values)


async def start_session(settings: AccountSettings, user: User, caller: Caller) -> SignedIn:
    """Begin a session of a user whose password was right."""
    session_id, refresh_token = uuid4(), new_refresh_token()
    expires_at = _refresh_expiry(settings)
    async with in_transaction() as connection:
        await Session.create(id=session_id, user_id=user.id, expires_at=expires_at)
        await _store_refresh_token(session_id, refresh_token, expires_at)
        entry = await write_entry(AuditKind.SIGNED_IN, Person.of(user), caller, connection=connection)
    tell(entry)
    return _signed_in(settings, user, session_id, refresh_token)


async def refresh_session(
    settings: AccountSettings, refresh_token: str, *, caller: Caller = UNKNOWN_CALLER
) -> SignedIn:
    """Exchange a refresh token for a new one and a new access token.

    A token that was exchanged before ends its session: somebody else may have it. But a second exchange that
    began before the first was done is only refused, for that is one client racing with itself.

    Raises:
        WrongCredentialsError: The token is unknown, used or expired, or its session has ended.
    """
    began = _now()
    token_hash = hash_refresh_token(refresh_token)
    async with in_transaction():
        # The conditional write comes first: it decides between two exchanges, and SQLite takes its lock here.
        won = await RefreshToken.filter(token_hash=token_hash, used_at=None, expires_at__gt=began).update(
            used_at=began
        )
        if won:
            renewed = await _renew(settings, token_hash)
            await RefreshToken.filter(token_hash=token_hash).update(used_at=_now())
    if won and renewed is not None:
        return renewed
    if not won:
        used = await RefreshToken.get_or_none(token_hash=token_hash, used_at__lt=began)
        if used is not None:
            await _end_session(used.session_id, AuditKind.REFRESH_TOKEN_REUSED, caller)
    raise WrongCredentialsError(
        "The refresh token does not work (any more): sign in again.", ("refresh_token",)
    )


async def sign_out(refresh_token: str, *, caller: Caller = UNKNOWN_CALLER) -> None:
    """End the session of a refresh token, at once for its access tokens too.

    Raises:
        WrongCredentialsError: The token is unknown.
    """
    token = await RefreshToken.get_or_none(token_hash=hash_refresh_token(refresh_token))
    if token is None:
        raise WrongCredentialsError("This refresh token is unknown.", ("refresh_token",))
    await _end_session(token.session_id, AuditKind.SIGNED_OUT, caller)


async def authenticate(access_token: str, secret: bytes) -> Viewer:
    """Who an access token stands for.

    Raises:
        NotSignedInError: It is not valid, has expired, or its session has ended.
    """
    claims = read_access_token(access_token, secret)
    # Every request begins with it, so it is one statement, and reads no more objects than it needs.
    rows = await fetch_values(_SESSION_SQL, claims.session_id, claims.user_id)
    if not rows or stored_moment(rows[0][0]) <= _now():
        raise NotSignedInError("The session has ended: sign in again.")
    return Viewer(rows[0][1:], claims.user_id, claims.session_id, claims.expires_at)


async def ended_sessions(session_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the sessions that have ended."""
    asked = set(session_ids)
    alive = await Session.filter(id__in=asked, revoked_at=None, expires_at__gt=_now()).values_list(
        "id", flat=True
    )
    return asked - set(alive)


async def delete_expired_sessions() -> None:
    """Forget sessions and refresh tokens that can never work again."""
    await RefreshToken.filter(expires_at__lt=_now()).delete()
    await Session.filter(expires_at__lt=_now()).delete()


async def end_sessions(session_ids: list[UUID]) -> None:
    """End sessions at once, for their access tokens too."""
    await Session.filter(id__in=session_ids, revoked_at=None).update(revoked_at=_now())


async def end_other_sessions(
    user_id: UUID, session_id: UUID, *, connection: BaseDBAsyncClient | None = None
) -> None:
    """End every session of a user but this one."""
    others = Session.filter(user_id=user_id, revoked_at=None).exclude(id=session_id)
    await others.using_db(connection).update(revoked_at=_now())


async def _end_session(session_id: UUID, kind: AuditKind, caller: Caller) -> None:
    """End a session if it has not ended, and write down why."""
    async with in_transaction() as connection:
        # Written first, for SQLite: see `domain.sql.lock_rows`.
        ended = Session.filter(id=session_id, revoked_at=None).using_db(connection)
        if not await ended.update(revoked_at=_now()):
            return
        session = await Session.get(id=session_id, using_db=connection).select_related("user")
        entry = await write_entry(kind, Person.of(session.user), caller, connection=connection)
    tell(entry)


async def _renew(settings: AccountSettings, token_hash: str) -> SignedIn | None:
    """A new refresh token in the session of a used one; None if the session has ended."""
    session = await Session.get_or_none(
        refresh_tokens__token_hash=token_hash, revoked_at=None
    ).select_related("user")
    if session is None:
        return None
    refresh_token, expires_at = new_refresh_token(), _refresh_expiry(settings)
    await _store_refresh_token(session.id, refresh_token, expires_at)
    await Session.filter(id=session.id).update(expires_at=expires_at)
    return _signed_in(settings, session.user, session.id, refresh_token)


async def _store_refresh_token(session_id: UUID, refresh_token: str, expires_at: datetime) -> None:
    await RefreshToken.create(
        id=uuid4(), session_id=session_id, token_hash=hash_refresh_token(refresh_token), expires_at=expires_at
    )


def _signed_in(settings: AccountSettings, user: User, session_id: UUID, refresh_token: str) -> SignedIn:
    access_token = issue_access_token(
        settings.secret,
        user_id=user.id,
        session_id=session_id,
        lifetime_seconds=settings.access_token_seconds,
    )
    return SignedIn(user, session_id, access_token, refresh_token)


def _refresh_expiry(settings: AccountSettings) -> datetime:
    return _now() + timedelta(seconds=settings.refresh_token_seconds)


def _now() -> datetime:
    return datetime.now(UTC)
