"""The database, as the commands need it."""

from functools import partial

from tortoise.exceptions import BaseORMException

from cli.errors import CliError
from domain.database import migrate
from domain.outages import is_outage, reason, through_outages
from settings import Settings

_PATIENCE_SECONDS = 10.0
"""For a database that is just being started."""


async def migrate_database(settings: Settings) -> list[str]:
    """Bring the database up to date and give the names of the migrations that it lacked.

    Raises:
        CliError: The database cannot be used.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return await through_outages(
            partial(migrate, settings.resolved_database_url()),
            patience_seconds=_PATIENCE_SECONDS,
            what="migrations wait",
        )
    except Exception as error:
        if not (isinstance(error, (BaseORMException, OSError)) or is_outage(error)):
            raise
        raise CliError(f"The database cannot be used: {reason(error)}") from error
