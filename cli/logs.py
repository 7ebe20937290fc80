"""How the processes of a server log: one line a record, the level first, for `cli.server_log` to colour.

Two promises hold for every line, whoever wrote it. Text from outside cannot look like a line of its own:
control characters in a message are escaped, and the lines of a traceback are indented. And nothing that
gives access is in it: libraries that tell what they send and receive may only warn, and what looks like a
token or a signature is taken out.
"""

import logging
import re

from cli.errors import CliError

_OWN_LOGGERS = ("cli", "domain", "framewise", "graphql_api", "media", "ml_models", "storage", "tasks")
_CHATTY = ("uvicorn", "dramatiq", "tortoise")
"""They say what is of use at DEBUG only."""
_TALKATIVE = (
    # They print what they send: headers, frames, statements with their values, signed addresses.
    "aiobotocore",
    "aiosqlite",
    "asyncpg",
    "boto3",
    "botocore",
    "gql",
    "hpack",
    "httpcore",
    "httpx",
    "multipart",
    "python_multipart",
    "s3transfer",
    "tortoise",
    "urllib3",
    "websockets",
)

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_REDACTED = "[removed]"
_SECRETS = (
    re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?"),
    re.compile(
        r"(?<=[?&;])(?:signature|X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token)=[^&\s\"']+", re.I
    ),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
    re.compile(r"(?<=/uploads/)[\w-]{40,}"),  # the URL of an upload is the right to it
    re.compile(r"(?<=bearer )[^\s\"']+", re.I),
    re.compile(r"(?<=framewise-access=)[^;\s]+|(?<=framewise-refresh=)[^;\s]+"),
)


class LineFormatter(logging.Formatter):
    """One line a record, except for a traceback, whose lines are indented."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, with control characters escaped."""
        return without_secrets(_CONTROL.sub(_escaped, super().formatMessage(record)))

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """The traceback, indented."""
        text = super().formatException(ei)  # type: ignore[arg-type]
        return without_secrets("\n".join(f"  {_CONTROL.sub(_escaped, line)}" for line in text.split("\n")))


class WithoutQuery(logging.Filter):
    """Takes the query out of the addresses that uvicorn logs: links to files carry their permission there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                argument.partition("?")[0] if isinstance(argument, str) else argument
                for argument in record.args
            )
        return True


def configure_logging(level: str) -> None:
    """Log to the standard error stream from `level` on; third-party chatter from WARNING on, or at DEBUG."""
    number = level_number(level)
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(handlers=[handler], level=max(number, logging.INFO), force=True)
    for name in _OWN_LOGGERS:
        logging.getLogger(name).setLevel(number)
    quiet = max(logging.WARNING, number)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(quiet if number > logging.DEBUG else logging.INFO)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(quiet)
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).filters = [WithoutQuery()]


def without_secrets(text: str) -> str:
    """The text without what looks like a token, a password in an address, or a signature."""
    for pattern in _SECRETS:
        text = pattern.sub(_REDACTED, text)
    return text


def level_number(level: str) -> int:
    """The number of a level's name.

    Raises:
        CliError: There is no such level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise CliError(f"FRAMEWISE_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, not {level!r}.", 2)
    return number


def _escaped(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]
