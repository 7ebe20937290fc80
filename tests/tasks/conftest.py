"""Fixtures for tests of background work."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_models import catalog
from tests.tasks.plugin import install_plugin


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A third party's models, on the path of this process and of those it starts."""
    directory = tmp_path / "site"
    install_plugin(directory)
    monkeypatch.syspath_prepend(str(directory))
    monkeypatch.setenv("PYTHONPATH", str(directory))
    return directory


@pytest.fixture(autouse=True)
def fresh_catalogue() -> Iterator[None]:
    """Models are looked up once a process: each test sees those on its own path."""
    catalog._plugin_specs.cache_clear()
    yield
    catalog._plugin_specs.cache_clear()
