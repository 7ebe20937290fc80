"""A PostgreSQL of a benchmark's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.databases import running_postgres


@contextmanager
def empty_postgres(binaries: Path | None) -> Iterator[str | None]:
    """The URL of an empty database of a server of these programs; None if there are none."""
    if binaries is None:
        yield None
        return
    with running_postgres(binaries) as server:
        yield server.url("postgres")
