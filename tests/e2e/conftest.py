"""One server for all end-to-end tests of a process, with models that need it ready."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.e2e.server import Api, Server, running_server
from tests.tasks.plugin import install_plugin

_numbers = count()

MAX_UPLOAD_BYTES = 50 * 2**20


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, weights_dir: Path) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("server")
    install_plugin(directory / "site")
    with running_server(
        directory,
        directory / "site",
        weights_mirror=weights_dir,
        slots=2,
        max_upload_bytes=MAX_UPLOAD_BYTES,
        max_video_duration_seconds=600,
    ) as started:
        yield started


@pytest.fixture
async def api(server: Server) -> Api:
    """A new user."""
    return await server.sign_up(f"user{next(_numbers)}")
