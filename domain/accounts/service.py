"""Accounts: signing up, in and out, sessions and their refresh tokens, the profile."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from domain.accounts.audit import UNKNOWN_CALLER, AuditKind, Caller, Person, record, tell, write_entry
from domain.accounts.models import RefreshToken, Session, User
from domain.accounts.passwords import hash_password, needs_rehash, verify_password
from domain.accounts.rules import (
    MAX_PASSWORD_LENGTH,
    MAX_USERNAME_LENGTH,
    check_password,
    clean_email,
    clean_full_name,
    clean_username,
    username_key,
)
from domain.accounts.tokens import (
    AccessToken,
    hash_refresh_token,
    issue_access_token,
    new_refresh_token,
    read_access_token,
)
from domain.errors import ConflictError, InvalidError, NotFoundError, NotSignedInError, WrongCredentialsError
from domain.sql import fetch_values, stored_moment
from domain.text import is_storable

_LONGEST_KEY = 3 * MAX_USERNAME_LENGTH
"""Some letters become three when upper and lower case are made alike."""


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


async def create_user(
    username: str,
    password: str,
    email: str | None = None,
    full_name: str | None = None,
    *,
    is_admin: bool = False,
    caller: Caller = UNKNOWN_CALLER,
) -> User:
    """Make an account. `is_admin`: it may change what all accounts share; only the command line makes such.

    Raises:
        InvalidError: A value breaks a rule of `domain.accounts.rules`.
        ConflictError: The username is taken, in whatever spelling.
    """
    name = clean_username(username)
    key = username_key(name)
    check_password(password, "password")
    email = None if email is None else clean_email(email)
    full_name = None if full_name is None else clean_full_name(full_name)
    if await User.exists(username_key=key):
        raise _username_taken()
    user = User(
        id=uuid4(),
        username=name,
        username_key=key,
        email=email,
        full_name=full_name,
        password_hash=await hash_password(password),
        is_admin=is_admin,
    )
    try:
        async with in_transaction() as connection:
            await user.save(using_db=connection, force_create=True)
            entry = await write_entry(AuditKind.SIGNED_UP, _person(user), caller, connection=connection)
    except IntegrityError:
        raise _username_taken() from None
    tell(entry)
    return user


async def sign_up(
    settings: AccountSettings,
    username: str,
    password: str,
    email: str | None,
    full_name: str | None,
    *,
    caller: Caller = UNKNOWN_CALLER,
) -> SignedIn:
    """Make an account and sign in.

    Raises:
        ConflictError: The username is taken, or sign-up is closed.
        InvalidError: As `create_user`.
    """
    check_sign_up(settings, username, password, email, full_name)
    user = await create_user(username, password, email, full_name, caller=caller)
    return await _start_session(settings, user, caller)


def check_sign_up(
    settings: AccountSettings, username: str, password: str, email: str | None, full_name: str | None
) -> None:
    """Check what can be checked of a sign-up without asking whether the username is taken.

    Raises:
        ConflictError: Sign-up is closed.
        InvalidError: As `create_user`.
    """
    if not settings.allow_sign_up:
        raise ConflictError("Sign-up is closed on this server: ask its administrator for an account.")
    clean_username(username)
    check_password(password, "password")
    if email is not None:
        clean_email(email)
    if full_name is not None:
        clean_full_name(full_name)


async def find_user(username: str) -> User | None:
    """The account of this name, in whatever spelling; None for what can be nobody's name."""
    key = username_key(username)
    if len(key) > _LONGEST_KEY or not is_storable(key):
        return None
    return await User.get_or_none(username_key=key)


async def make_admin(username: str, is_admin: bool = True) -> User:
    """Let an account change what all accounts share, or no longer.

    Raises:
        NotFoundError: There is no such account.
    """
    user = await find_user(username)
    if user is None:
        raise NotFoundError("There is no account of this name.", ("username",))
    user.is_admin = is_admin
    await user.save(update_fields=["is_admin"])
    return user


async def sign_in(
    settings: AccountSettings, username: str, password: str, *, caller: Caller = UNKNOWN_CALLER
) -> SignedIn:
    """Begin a session.

    Raises:
        WrongCredentialsError: No such user, or not their password; it takes as long either way.
    """
    user = await find_user(username)
    if not await is_password_of(user, password) or user is None:
        person = Person(None, username) if user is None else _person(user)
        await record(AuditKind.SIGN_IN_FAILED, person, caller)
        raise WrongCredentialsError("The username or the password is not right.")
    await _rehash_if_outdated(user, password)
    session = await _start_session(settings, user, caller)
    # A password change in the meantime has ended the sessions it saw; this one it may not have seen.
    if not await User.exists(id=user.id, password_hash=user.password_hash):
        await _end_sessions([session.session_id])
        raise WrongCredentialsError("The username or the password is not right.")
    return session


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


async def change_password(
    viewer: Viewer, current_password: str, new_password: str, *, caller: Caller = UNKNOWN_CALLER
) -> User:
    """Set another password and end the user's other sessions.

    Raises:
        WrongCredentialsError: `current_password` is not the user's.
        InvalidError: The new one breaks a rule, or is the current one.
    """
    check_password(new_password, "new_password")
    user = viewer.user
    if not await is_password_of(user, current_password):
        raise WrongCredentialsError("This is not your current password.", ("current_password",))
    if await verify_password(new_password, user.password_hash):
        raise InvalidError("The new password is the current one.", ("new_password",))
    if not await _replace_hash(user, new_password):
        raise ConflictError("The password was changed elsewhere just now: sign in again.")
    async with in_transaction() as connection:
        others = Session.filter(user_id=user.id, revoked_at=None).exclude(id=viewer.session_id)
        await others.using_db(connection).update(revoked_at=_now())
        entry = await write_entry(AuditKind.PASSWORD_CHANGED, _person(user), caller, connection=connection)
    tell(entry)
    return user


async def update_profile(user: User, changes: Mapping[str, str | None]) -> User:
    """Change `email` and `full_name`: those that are keys of `changes`; None clears.

    Raises:
        InvalidError: A value breaks a rule of `domain.accounts.rules`.
    """
    cleaned = dict(changes)
    for name, clean in (("email", clean_email), ("full_name", clean_full_name)):
        value = cleaned.get(name)
        if value is not None:
            cleaned[name] = clean(value)
    if cleaned:
        user.update_from_dict(cleaned)
        await user.save(update_fields=list(cleaned))
    return user


async def delete_expired_sessions() -> None:
    """Forget sessions and refresh tokens that can never work again."""
    await RefreshToken.filter(expires_at__lt=_now()).delete()
    await Session.filter(expires_at__lt=_now()).delete()


async def is_password_of(user: User | None, password: str) -> bool:
    """Whether the password is the user's; without a user it takes as long and is False."""
    if len(password) > MAX_PASSWORD_LENGTH or not is_storable(password):
        return False
    return await verify_password(password, None if user is None else user.password_hash)


async def _rehash_if_outdated(user: User, password: str) -> None:
    if needs_rehash(user.password_hash):
        await _replace_hash(user, password)


async def _replace_hash(user: User, password: str) -> bool:
    """Store the hash of a password; False if another process replaced the one that `user` was read with."""
    new_hash = await hash_password(password)
    replaced = await User.filter(id=user.id, password_hash=user.password_hash).update(password_hash=new_hash)
    if replaced:
        user.password_hash = new_hash
    return bool(replaced)


async def _start_session(settings: AccountSettings, user: User, caller: Caller) -> SignedIn:
    session_id, refresh_token = uuid4(), new_refresh_token()
    expires_at = _refresh_expiry(settings)
    async with in_transaction() as connection:
        await Session.create(id=session_id, user_id=user.id, expires_at=expires_at)
        await _store_refresh_token(session_id, refresh_token, expires_at)
        entry = await write_entry(AuditKind.SIGNED_IN, _person(user), caller, connection=connection)
    tell(entry)
    return _signed_in(settings, user, session_id, refresh_token)


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


async def _end_sessions(session_ids: list[UUID]) -> None:
    await Session.filter(id__in=session_ids, revoked_at=None).update(revoked_at=_now())


async def _end_session(session_id: UUID, kind: AuditKind, caller: Caller) -> None:
    """End a session if it has not ended, and write down why."""
    async with in_transaction() as connection:
        # Written first, for SQLite: see `domain.sql.lock_rows`.
        ended = Session.filter(id=session_id, revoked_at=None).using_db(connection)
        if not await ended.update(revoked_at=_now()):
            return
        session = await Session.get(id=session_id, using_db=connection).select_related("user")
        entry = await write_entry(kind, _person(session.user), caller, connection=connection)
    tell(entry)


def _person(user: User) -> Person:
    return Person(user.id, user.username)


def _refresh_expiry(settings: AccountSettings) -> datetime:
    return _now() + timedelta(seconds=settings.refresh_token_seconds)


def _now() -> datetime:
    return datetime.now(UTC)


def _username_taken() -> ConflictError:
    return ConflictError("This username is taken.", ("username",))
