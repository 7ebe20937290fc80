"""Fixtures of tests that are about no SQL of their own."""

import pytest

from tests.databases import connected


@pytest.fixture
async def sqlite(tmp_path):
    async with connected(f"sqlite://{tmp_path / 'test.sqlite3'}"):
        yield
