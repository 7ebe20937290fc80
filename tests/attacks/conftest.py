"""One API process for all attacks that a test process makes."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.target import Target, running_target
from tests.outages import PrivateValkey


@pytest.fixture(scope="session")
def attacked_valkey() -> Iterator[PrivateValkey]:
    directory = Path(tempfile.mkdtemp(prefix="framewise-valkey-"))
    server = PrivateValkey(directory)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory, attacked_valkey: PrivateValkey) -> Iterator[Target]:
    """The process, with little patience for what comes slowly and few descriptors."""
    directory = tmp_path_factory.mktemp("attacked")
    with running_target(directory, attacked_valkey.url, max_open_uploads_per_user=100_000) as target:
        yield target


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker do them all: they attack the same process."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("attacks"))
