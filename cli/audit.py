"""The audit log for the operator, as lines."""

import re
from datetime import UTC, datetime, timedelta

from cli.database import check_database, connected
from cli.errors import CliError
from domain.accounts.audit import AuditEntry
from domain.accounts.service import find_user
from settings import Settings

_AGO = re.compile(r"([0-9]{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


async def audit_lines(
    settings: Settings, *, username: str | None = None, since: datetime | None = None, most: int = 1000
) -> list[str]:
    """The newest entries, oldest first, each in one line; control characters in them are escaped.

    Args:
        settings: Where the database is.
        username: Only entries about this account, or with this name where there is no account.
        since: Only entries from then on.
        most: How many at most.

    Raises:
        CliError: The database cannot be used.
    """
    await check_database(settings)
    async with connected(settings):
        entries = AuditEntry.all() if since is None else AuditEntry.filter(created_at__gte=since)
        if username is not None:
            user = await find_user(username)
            entries = entries.filter(username=username) if user is None else entries.filter(user_id=user.id)
        newest = await entries.order_by("-created_at", "-id").limit(most)
    return [_line(entry) for entry in reversed(newest)]


def parse_since(text: str, now: datetime | None = None) -> datetime:
    """A moment: a date or time, local unless it names a zone, or how long ago: `30m`, `24h`, `7d`, `2w`.

    Raises:
        CliError: It is none of them.
    """
    if match := _AGO.fullmatch(text):
        return (now or datetime.now(UTC)) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise CliError(
            f"--since must be like 2026-01-31, 2026-01-31T12:00, 24h or 7d, not {text!r}.", 2
        ) from None


def _line(entry: AuditEntry) -> str:
    parts = [
        entry.created_at.astimezone().isoformat(" ", "seconds"),
        entry.kind.value,
        _plain(entry.username),
    ]
    if entry.user_id is None:
        parts.append("(no such account)")
    if entry.address:
        parts.append(f"from {_plain(entry.address)}")
    if entry.subject_id is not None:
        parts.append(f"of {entry.subject_id}")
    if entry.user_agent:
        parts.append(f"by {_plain(entry.user_agent)}")
    return "  ".join(parts)


def _plain(text: str) -> str:
    """The text with what does not print escaped."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
