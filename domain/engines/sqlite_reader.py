"""Reads of SQLite that are over at once, on the event loop itself.

Handing a statement to another thread, and its rows back, takes longer than most reads do: both threads want
Python's lock. What would keep the event loop busy is given up, and left to the thread.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_READ_SECONDS = 0.03
"""A read that takes longer is given up. It is long enough for others to have had the processor meanwhile."""

_STEPS_BETWEEN_LOOKS = 250
"""Steps of SQLite's machine between two looks at the clock, about ten rows."""

_LOOKS = 200
"""After so many looks a read is given up; it has taken about two milliseconds then."""

_REST_SECONDS = 1.0
"""How long a file is left alone after a read that took too long: what it lies on may be slow."""


class SqliteReader:
    """A connection of its own, which sees what is committed.

    Args:
        path: The database's file.
        prepare: Called with a connection that was opened.
    """

    def __init__(self, path: str, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._path = path
        self._prepare = prepare
        self._connection: sqlite3.Connection | None = None
        self._deadline = 0.0
        self._looks = 0
        self._rests_until = 0.0

    def read(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]] | None:
        """The rows of a query; None if it cannot be had at once, for whatever reason."""
        began = time.monotonic()
        if began < self._rests_until:
            return None
        self._deadline = began + _READ_SECONDS
        self._looks = 0
        try:
            connection = self._connection or self._open()
            rows = connection.execute(sql, values).fetchall()
        except sqlite3.Error:
            # The thread will come across the same, and tell it, unless it was only too long.
            self.close()
            rows = None
        if time.monotonic() > self._deadline:
            self._rests_until = time.monotonic() + _REST_SECONDS
        return rows

    def close(self) -> None:
        """Close the connection; the next read opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        self._connection = sqlite3.connect(
            f"{Path(self._path).absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection.set_progress_handler(self._is_late, _STEPS_BETWEEN_LOOKS)
        self._prepare(self._connection)
        return self._connection

    def _is_late(self) -> bool:
        self._looks += 1
        return self._looks > _LOOKS or time.monotonic() > self._deadline
