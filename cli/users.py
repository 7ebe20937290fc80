"""Accounts made from the command line."""

from cli.database import migrate_database
from domain.accounts import service
from domain.database import connect, disconnect
from settings import Settings


async def create_user(
    settings: Settings,
    username: str,
    password: str,
    email: str | None = None,
    full_name: str | None = None,
    *,
    is_admin: bool = False,
) -> str:
    """Make an account directly in the database, which is brought up to date first, and give its username.

    Raises:
        CliError: The database cannot be used.
        domain.errors.UserFacingError: A value breaks a rule, or the username is taken.
    """
    await migrate_database(settings)
    await connect(settings.resolved_database_url())
    try:
        user = await service.create_user(username, password, email, full_name, is_admin=is_admin)
        return user.username
    finally:
        await disconnect()


async def make_admin(settings: Settings, username: str, is_admin: bool) -> str:
    """Make an account an administrator, or no longer one, and give its username.

    Raises:
        CliError: The database cannot be used.
        domain.errors.UserFacingError: There is no such account.
    """
    await migrate_database(settings)
    await connect(settings.resolved_database_url())
    try:
        return (await service.make_admin(username, is_admin)).username
    finally:
        await disconnect()
