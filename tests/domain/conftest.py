"""Fixtures of the domain's tests."""

from pathlib import Path

import pytest

from tests.domain.making import FailingStorage


@pytest.fixture
def storage(tmp_path: Path) -> FailingStorage:
    """A folder that can be made to fail."""
    return FailingStorage(tmp_path / "files")
