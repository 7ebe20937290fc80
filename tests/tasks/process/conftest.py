"""Fixtures for tests of analysis processes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.process.protocol import Message
from tests.tasks.process.trial_models import detect_request, install_trial_models


@pytest.fixture
def trial_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the models for trials, on the path of the processes that are started."""
    directory = tmp_path / "site"
    install_trial_models(directory)
    monkeypatch.setenv("PYTHONPATH", str(directory))
    return directory


@pytest.fixture
def detect(trial_models: Path, media_dir: Path) -> Callable[[str], Message]:
    """Makes a request to run a model over a short clip."""
    return lambda ml_model: detect_request(media_dir / "gestures" / "eat.mkv", ml_model)
