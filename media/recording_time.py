"""When a video was filmed, as far as its file tells."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

_NAMES = ("com.apple.quicktime.creationdate", "creation_time", "date")
_FIRST_YEAR = 1980
"""Earlier times come from clocks that were never set: they begin at 1904, 1970 or 1980-01-01."""
_CLOCK_ERROR = timedelta(days=1)


def recording_time(*metadata: Mapping[str, str]) -> datetime | None:
    """The first plausible time in the metadata of a container and its streams, in UTC; None if there is none.

    Files that were edited tell when they were written, which is later. Times without a zone count as UTC.
    """
    for name in _NAMES:
        for entries in metadata:
            found = _plausible(entries.get(name, ""))
            if found is not None:
                return found
    return None


def _plausible(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    is_set = moment.year >= _FIRST_YEAR and (moment.year, moment.month, moment.day) != (_FIRST_YEAR, 1, 1)
    return moment if is_set and moment <= datetime.now(UTC) + _CLOCK_ERROR else None
