"""Fixtures that every test may ask for."""

import os
from pathlib import Path

import pytest

from tests.clients.node import node_clients  # noqa: F401
from tests.databases import database, database_url, postgres_server, quick_password_hashes  # noqa: F401
from tests.outages import private_postgres, private_valkey  # noqa: F401

REPOSITORY = Path(__file__).resolve().parent.parent


def _shared(name: str, variable: str) -> Path:
    directory = Path(os.environ.get(variable, REPOSITORY.parent / "shared" / name))
    if not directory.is_dir():
        message = f"{directory} is missing: set {variable} to a folder with the {name} of the test set"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return directory


@pytest.fixture(scope="session")
def media_dir() -> Path:
    """Real clips and photos."""
    return _shared("media", "FRAMEWISE_TEST_MEDIA")


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """Real weights, under their official file names."""
    return _shared("models", "FRAMEWISE_TEST_WEIGHTS")
