"""Accounts made from the command line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cli.database import connected, migrate_database
from domain.accounts import service
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
    async with _newest_database(settings):
        user = await service.create_user(username, password, email, full_name, is_admin=is_admin)
        return user.username


async def make_admin(settings: Settings, username: str, is_admin: bool) -> str:
    """Make an account an administrator, or no longer one, and give its username.

    Raises:
        CliError: The database cannot be used.
        domain.errors.UserFacingError: There is no such account.
    """
    async with _newest_database(settings):
        return (await service.make_admin(username, is_admin)).username


@asynccontextmanager
async def _newest_database(settings: Settings) -> AsyncIterator[None]:
    """The database, brought up to date first."""
    await migrate_database(settings)
    async with connected(settings):
        yield
