"""How the processes of a server log: one line a record, the level first, for `cli.server_log` to colour."""

import logging

from cli.errors import CliError


def configure_logging(level: str) -> None:
    """Log to the standard error stream from `level` on; third-party chatter from WARNING on, or at DEBUG."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=level_number(level), force=True)
    if logging.getLogger().level > logging.DEBUG:
        for name in ("uvicorn", "dramatiq", "aiobotocore", "botocore", "httpx", "tortoise"):
            logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def level_number(level: str) -> int:
    """The number of a level's name.

    Raises:
        CliError: There is no such level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise CliError(f"FRAMEWISE_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, not {level!r}.", 2)
    return number
