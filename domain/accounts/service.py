"""Accounts: signing up and in, the password, the profile."""

from collections.abc import Mapping
from uuid import uuid4

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from domain.accounts.audit import UNKNOWN_CALLER, AuditKind, Caller, Person, record, tell, write_entry
from domain.accounts.models import User
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
from domain.accounts.sessions import (
    AccountSettings,
    SignedIn,
    Viewer,
    end_other_sessions,
    end_sessions,
    start_session,
)
from domain.errors import ConflictError, InvalidError, NotFoundError, WrongCredentialsError
from domain.text import is_storable

_LONGEST_KEY = 3 * MAX_USERNAME_LENGTH
"""Some letters become three when upper and lower case are made alike."""


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
            entry = await write_entry(AuditKind.SIGNED_UP, Person.of(user), caller, connection=connection)
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
    return await start_session(settings, user, caller)


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
        person = Person(None, username) if user is None else Person.of(user)
        await record(AuditKind.SIGN_IN_FAILED, person, caller)
        raise WrongCredentialsError("The username or the password is not right.")
    await _rehash_if_outdated(user, password)
    session = await start_session(settings, user, caller)
    # A password change in the meantime has ended the sessions it saw; this one it may not have seen.
    if not await User.exists(id=user.id, password_hash=user.password_hash):
        await end_sessions([session.session_id])
        raise WrongCredentialsError("The username or the password is not right.")
    return session


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
        await end_other_sessions(user.id, viewer.session_id, connection=connection)
        entry = await write_entry(AuditKind.PASSWORD_CHANGED, Person.of(user), caller, connection=connection)
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


def _username_taken() -> ConflictError:
    return ConflictError("This username is taken.", ("username",))
