"""Fixtures of the tests of resumable uploads."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.base import AbstractStorage
from tests.graphql_api.uploads.resumable.app import App, running
from tests.storage.conftest import (  # noqa: F401
    ceph_server,
    local_storage,
    s3_storage,
    s3_url,
    storage,
    storage_kind,
)


@pytest.fixture
async def app(
    database: str,
    tmp_path: Path,
    storage: AbstractStorage,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[App]:
    """On each database and each storage."""
    async with running(tmp_path, storage, monkeypatch, max_upload_bytes=100 * 2**20) as app:
        yield app


@pytest.fixture
async def local_app(
    database: str,
    tmp_path: Path,
    local_storage: AbstractStorage,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[App]:
    """On each database, on a disk."""
    async with running(
        tmp_path,
        local_storage,
        monkeypatch,
        max_upload_bytes=1000,
        max_videos_per_user=5,
        max_open_uploads_per_user=3,
    ) as app:
        yield app
