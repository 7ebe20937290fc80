"""The database, as the commands need it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

from tortoise.exceptions import BaseORMException

from cli.errors import CliError
from domain.database import connect, disconnect, migrate, missing_migrations, sqlite_file
from domain.outages import is_outage, reason, through_outages
from settings import Settings

_PATIENCE_SECONDS = 10.0
"""For a database that is just being started."""


async def migrate_database(settings: Settings) -> list[str]:
    """Bring the database up to date and give the names of the migrations that it lacked.

    Raises:
        CliError: The database cannot be used.
    """
    with _told_why():
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return await _patiently(partial(migrate, settings.resolved_database_url()), "migrations wait")


async def check_database(settings: Settings) -> None:
    """For commands that only read: they neither make a database nor change one.

    Raises:
        CliError: There is none, it is not up to date, or it cannot be used.
    """
    url = settings.resolved_database_url()
    file = sqlite_file(url)
    if file is not None and not file.is_file():
        raise CliError(f"There is no database at {file}.")
    with _told_why():
        missing = await _patiently(partial(missing_migrations, url), "the command waits")
    if missing:
        raise CliError(f"The database lacks {', '.join(missing)}: run `framewise migrate`.")


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[None]:
    """A connection to the database, which was found to be usable."""
    await connect(settings.resolved_database_url())
    try:
        yield
    finally:
        await disconnect()


async def _patiently(operation: Callable[[], Awaitable[list[str]]], what: str) -> list[str]:
    return await through_outages(operation, patience_seconds=_PATIENCE_SECONDS, what=what)


@contextmanager
def _told_why() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not (isinstance(error, (BaseORMException, OSError)) or is_outage(error)):
            raise
        raise CliError(f"The database cannot be used: {reason(error)}") from error
