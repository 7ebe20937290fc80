"""Deleting an account with everything it owns, also when whoever began it has died."""

import logging
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.accounts.audit import UNKNOWN_CALLER, Caller
from domain.accounts.deletion import begin_deletion, going_accounts
from domain.accounts.models import User
from domain.analyses.models import Analysis
from domain.content_deletion import delete_content_of
from domain.erasure import note_erasure, try_erasure
from domain.people.clearing import lock_if_there
from domain.removals import try_removals
from domain.sql import lock_rows
from domain.uploads.deletion import delete_uploads_of
from domain.uploads.models import Upload
from domain.videos.models import Video
from storage.base import AbstractStorage

log = logging.getLogger(__name__)


async def delete_account(
    storage: AbstractStorage,
    user: User,
    password: str,
    *,
    late_write_seconds: float,
    caller: Caller = UNKNOWN_CALLER,
) -> None:
    """Delete an account, its videos, analyses and files; its sessions end at once, running work stops.

    Args:
        storage: Where the files are.
        user: The account.
        password: Its password.
        late_write_seconds: For so long a worker that has not noticed may still write files.
        caller: Where the request came from, for the audit log.

    Raises:
        WrongCredentialsError: The password is not the account's.
    """
    await begin_deletion(user, password, caller=caller)
    await try_removals(storage, await _finish(user.id, late_write_seconds))
    await try_erasure()


async def finish_account_deletions(*, late_write_seconds: float) -> int:
    """Go on with deletions that were begun; how many accounts there were."""
    accounts = await going_accounts()
    for owner_id in accounts:
        await _finish(owner_id, late_write_seconds)
        log.info("the deletion of account %s is done", owner_id)
    return len(accounts)


async def _finish(owner_id: UUID, late_write_seconds: float) -> list[UUID]:
    removals: list[UUID] = []
    is_gone = False
    while not is_gone:
        removals += await delete_uploads_of(owner_id)
        removals += await delete_content_of(owner_id, late_write_seconds=late_write_seconds)
        async with in_transaction() as connection:
            # Before the account's row, as whoever corrects the register has it.
            await lock_if_there(connection, owner_id)
            # A request that began before may be about to add a video.
            await lock_rows(connection, "users", [owner_id])
            is_gone = not (
                await Analysis.filter(owner_id=owner_id).using_db(connection).exists()
                or await Video.filter(owner_id=owner_id).using_db(connection).exists()
                or await Upload.filter(owner_id=owner_id).using_db(connection).exists()
            )
            if is_gone:
                await User.filter(id=owner_id).using_db(connection).delete()
                await note_erasure(connection)
    return removals
