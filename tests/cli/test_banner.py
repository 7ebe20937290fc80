"""The command that the banner shows is one that the shell finds."""

import re
import subprocess
from pathlib import Path

import pytest

from cli import banner
from cli.banner import first_command, program, ready_models
from ml_models import weights
from ml_models.catalog import all_specs
from ml_models.extras import Extra
from settings import Settings


@pytest.fixture
def script(tmp_path, monkeypatch) -> Path:
    """An installation of which nothing is on PATH, in a folder below the working directory."""
    path = tmp_path / ".venv" / "bin" / "framewise"
    _make(path)
    monkeypatch.setattr(banner.sysconfig, "get_path", lambda name: str(path.parent))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return path


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\necho this one\n")
    path.chmod(0o755)


def run_by_shell(name: str) -> str:
    return subprocess.run(["/bin/sh", "-c", name], capture_output=True, text=True).stdout.strip()


def test_on_path_its_name_is_enough(script, monkeypatch):
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
    assert program() == "framewise"
    assert run_by_shell(program()) == "this one"


def test_elsewhere_it_is_shown_from_the_working_directory(script):
    assert program() == ".venv/bin/framewise"
    assert run_by_shell(program()) == "this one"


def test_another_installation_on_path_is_not_this_one(script, tmp_path, monkeypatch):
    _make(tmp_path / "other" / "framewise")
    monkeypatch.setenv("PATH", f"{tmp_path / 'other'}:/usr/bin:/bin")
    assert program() == ".venv/bin/framewise"


def test_every_working_directory_gets_a_command_that_runs(script, tmp_path, monkeypatch):
    monkeypatch.chdir(script.parent)
    assert program() == "./framewise"
    assert run_by_shell(program()) == "this one"
    (tmp_path / "far away").mkdir()
    monkeypatch.chdir(tmp_path / "far away")
    assert run_by_shell(program()) == "this one"


def test_the_first_command_names_a_data_folder_that_is_not_the_usual_one(script, tmp_path):
    usual = Settings.model_fields["data_dir"].get_default(call_default_factory=True)
    assert first_command(Path(usual)) == ".venv/bin/framewise analyze VIDEO.mp4"
    other = tmp_path / "d"
    assert first_command(other) == f".venv/bin/framewise analyze --data-dir {other} VIDEO.mp4"


def test_models_that_need_an_extra_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(Extra, "is_installed", lambda extra: extra.name != "dlib")
    settings = Settings(data_dir=tmp_path)
    said = re.fullmatch(
        r"(\d+) of (\d+) ready, (\d+) to fetch, 2 need an extra   fetch: .* models pull --all",
        ready_models(settings).plain,
    )
    assert said is not None
    ready, every, to_fetch = map(int, said.groups())
    assert every == len(all_specs()) == ready + to_fetch + 2
    monkeypatch.setattr(Extra, "is_installed", lambda extra: True)
    assert "extra" not in ready_models(settings).plain


def test_when_all_models_are_ready_nothing_is_to_fetch(tmp_path, monkeypatch):
    monkeypatch.setattr(Extra, "is_installed", lambda extra: True)
    monkeypatch.setattr(weights, "is_ready", lambda *arguments: True)
    assert ready_models(Settings(data_dir=tmp_path)).plain == f"{len(all_specs())} ready"
