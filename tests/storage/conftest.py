"""Every storage there is, to run one suite over."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from storage.base import AbstractStorage
from storage.factory import create_storage
from storage.local import LocalStorage
from storage.s3 import S3Storage
from tests.storage.ceph_server import (
    ACCESS_KEY_ID,
    DEBIAN_PACKAGES,
    SECRET_ACCESS_KEY,
    CephServer,
    missing_programs,
    start_ceph,
)

# All tests that need the S3 server run in one worker of xdist, so it is started once.
needs_s3 = pytest.mark.xdist_group("s3")


@pytest.fixture(scope="session")
def ceph_server() -> Iterator[CephServer]:
    """A running S3 server."""
    if missing := missing_programs():
        message = f"no S3 server to test with: {', '.join(missing)} missing (Debian: {DEBIAN_PACKAGES})"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    # Not under pytest's own folder: the paths of its sockets must stay short.
    folder = Path(tempfile.mkdtemp(prefix="ceph-"))
    try:
        server = start_ceph(folder)
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def s3_url(ceph_server: CephServer) -> str:
    """URL of a bucket that does not exist yet."""
    credentials = f"{ACCESS_KEY_ID}:{quote(SECRET_ACCESS_KEY, safe='')}"
    return f"s3://{credentials}@tests-{uuid4().hex}/some/prefix?endpoint_url={ceph_server.endpoint_url}"


@pytest.fixture
async def s3_storage(s3_url: str) -> AsyncIterator[S3Storage]:
    storage = create_storage(s3_url)
    assert isinstance(storage, S3Storage)
    await storage.prepare()
    yield storage
    await storage.aclose()


@pytest.fixture
async def local_storage(tmp_path: Path) -> LocalStorage:
    storage = create_storage((tmp_path / "files").as_uri())
    assert isinstance(storage, LocalStorage)
    await storage.prepare()
    return storage


@pytest.fixture(params=["local", pytest.param("s3", marks=needs_s3)])
def storage_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def storage(storage_kind: str, request: pytest.FixtureRequest) -> AbstractStorage:
    """One of the storages; tests that ask for it run over all."""
    found = request.getfixturevalue(f"{storage_kind}_storage")
    assert isinstance(found, AbstractStorage)
    return found
