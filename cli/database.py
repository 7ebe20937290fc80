"""The database, as the commands need it."""

from tortoise.exceptions import BaseORMException

from cli.errors import CliError
from domain.database import migrate
from settings import Settings


async def migrate_database(settings: Settings) -> list[str]:
    """Bring the database up to date and give the names of the migrations that it lacked.

    Raises:
        CliError: The database cannot be used.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return await migrate(settings.resolved_database_url())
    except (BaseORMException, OSError) as error:
        raise CliError(f"The database cannot be used: {error}") from error
