"""When the database is away: how to tell, and how to wait for it."""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tortoise.exceptions import BaseORMException, DBConnectionError

T = TypeVar("T")

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
REMINDER_SECONDS = 30.0

# By their codes, so that a server on SQLite need not load what speaks with PostgreSQL.
_POSTGRES_OUTAGES = (
    "08",  # connections
    "25006",  # read only: a standby that has not taken over yet
    "25P03",  # ended for idling in a transaction
    "40001",  # serialization failure
    "40P01",  # deadlock
    "53",  # no room, no memory, too many connections
    "57P01",  # shut down by an administrator
    "57P02",  # crashed
    "57P03",  # starting up or shutting down
    "57P05",  # ended for idling
    "58",  # the system around it
)
_SQLITE_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_PRIMARY_CODE = 0xFF


def is_outage(error: BaseException) -> bool:
    """Whether the database failed, not the statement: the same again later may well work."""
    if isinstance(error, (ConnectionError, DBConnectionError)):
        return True
    if isinstance(error, sqlite3.Error):
        # Absent where Python itself raised it.
        code: int | None = getattr(error, "sqlite_errorcode", None)
        return code is not None and code & _PRIMARY_CODE in _SQLITE_OUTAGES
    if type(error).__module__.startswith("asyncpg."):
        return _is_postgres_outage(error)
    cause = _driver_error(error)
    return cause is not None and is_outage(cause)


def _is_postgres_outage(error: BaseException) -> bool:
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_POSTGRES_OUTAGES)
    # "connection is closed", "pool is closing"; or asyncpg has lost track of a connection that broke.
    is_internal = any(base.__name__ == "InternalClientError" for base in type(error).__mro__)
    return is_internal or "clos" in str(error)


def _driver_error(error: BaseException) -> BaseException | None:
    """What the driver raised and Tortoise wrapped, the same way for no two databases."""
    if not isinstance(error, BaseORMException):
        return None
    if error.__cause__ is not None:
        return error.__cause__
    return next((part for part in error.args if isinstance(part, Exception)), None)


class OutageLog:
    """Says once in this process when something goes away, and once when it is back.

    Threads may share it.

    Args:
        name: What goes away, as the first words of a sentence.
        retry_seconds: How long after a failure `is_worth_a_try` says no.
    """

    def __init__(self, name: str, retry_seconds: float = 1.0) -> None:
        self._name = name
        self._retry_seconds = retry_seconds
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._failed_at = 0.0
        self._said_at = 0.0

    @property
    def is_on(self) -> bool:
        """Whether it is away."""
        return self._began_at is not None

    @property
    def is_worth_a_try(self) -> bool:
        """No for a moment after each failure, for callers who have better to do than to wait."""
        return self._began_at is None or time.monotonic() - self._failed_at >= self._retry_seconds

    def failed(self, what: str, error: BaseException) -> None:
        """It did not answer, and `what` has to do without or to wait; said again after half a minute."""
        now = time.monotonic()
        with self._lock:
            is_new = self._began_at is None
            self._failed_at = now
            if is_new:
                self._began_at = now
            elif now - self._said_at < REMINDER_SECONDS:
                return
            self._said_at = now
        still = "" if is_new else " still"
        log.warning("%s%s does not answer (%s): %s", self._name, still, what, reason(error))

    def answered(self) -> None:
        """It works."""
        if self._began_at is None:
            return
        with self._lock:
            began_at, self._began_at = self._began_at, None
        if began_at is not None:
            log.warning("%s answers again, after %.1f s", self._name, time.monotonic() - began_at)


database_outage = OutageLog("the database")


def reason(error: BaseException) -> str:
    """An error in one line; some have no text of their own."""
    return " ".join(str(error).split()) or type(error).__name__


async def through_outages(
    operation: Callable[[], Awaitable[T]],
    *,
    patience_seconds: float,
    what: str,
    give_up: Callable[[], bool] = lambda: False,
) -> T:
    """Do something with the database, and again for as long as the database is away.

    It may be done although the answer was lost, so a second time must do no harm: for reads, and for writes
    that are idempotent or name a fencing token. A fenced write that answers False after an outage may have
    been done.

    Args:
        operation: Called anew for each try.
        patience_seconds: After so long the last error is raised; `math.inf` waits for ever.
        what: Stands in the log as what waits.
        give_up: Asked before each new try; the last error is raised once it says yes.

    Raises:
        Exception: What `operation` raised, if it was no outage or patience ran out.
    """
    began_at = time.monotonic()
    pause_seconds = FIRST_PAUSE_SECONDS
    while True:
        try:
            result = await operation()
        except Exception as error:
            if not is_outage(error):
                raise
            database_outage.failed(what, error)
            if time.monotonic() + pause_seconds - began_at > patience_seconds or give_up():
                raise
        else:
            database_outage.answered()
            return result
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(LONGEST_PAUSE_SECONDS, pause_seconds * 2)
