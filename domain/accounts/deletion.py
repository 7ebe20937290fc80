"""Deleting accounts: at once nobody can use one any more, then all that belongs to it goes."""

from uuid import UUID

from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from domain.accounts.audit import UNKNOWN_CALLER, AuditKind, Caller, Person, tell, write_entry
from domain.accounts.models import RefreshToken, Session, User
from domain.accounts.service import is_password_of
from domain.errors import WrongCredentialsError
from domain.sql import lock_rows

_GOING = "deleted:"
"""How the username key of an account begins that is being deleted; no username has a colon."""

_AFTER_GOING = "deleted;"


async def begin_deletion(user: User, password: str, *, caller: Caller = UNKNOWN_CALLER) -> None:
    """End the sessions of an account, free its username, and mark it for `going_accounts`.

    Raises:
        WrongCredentialsError: The password is not the user's.
    """
    if not await is_password_of(user, password):
        raise WrongCredentialsError("This is not your password.", ("password",))
    async with in_transaction() as connection:
        await lock_rows(connection, "users", [user.id])
        marked = (
            await User.filter(id=user.id, password_hash=user.password_hash)
            .using_db(connection)
            .update(username_key=f"{_GOING}{user.id}", password_hash="")
        )
        if marked:
            await RefreshToken.filter(session__user_id=user.id).using_db(connection).delete()
            await Session.filter(user_id=user.id).using_db(connection).delete()
            entry = await write_entry(
                AuditKind.ACCOUNT_DELETED, Person.of(user), caller, subject_id=user.id, connection=connection
            )
    if not marked:
        # The password was changed meanwhile, or another request has begun to delete the account.
        raise WrongCredentialsError("This is not your password (any more).", ("password",))
    tell(entry)


async def is_there(user_id: UUID) -> bool:
    """Whether there is an account, and its deletion has not begun."""
    is_going = Q(username_key__gte=_GOING) & Q(username_key__lt=_AFTER_GOING)
    return await User.filter(~is_going, id=user_id).exists()


async def going_accounts() -> list[UUID]:
    """Accounts that are marked and still there."""
    ids = await User.filter(username_key__gte=_GOING, username_key__lt=_AFTER_GOING).values_list(
        "id", flat=True
    )
    return [UUID(str(one)) for one in ids]
