"""docs/configuration.md lists every setting with its default, and nothing else."""

import re

import pytest
from pydantic_core import PydanticUndefined

from settings import Settings
from storage.factory import _S3_OPTIONS
from tests.docs.markdown import code_spans, documents, read, rows, section

PAGE = "docs/configuration.md"
VARIABLE = re.compile(r"FRAMEWISE_[A-Z0-9_]+")
# Read by one command or by the tests, and no settings of the server.
OTHER_VARIABLES = {
    "FRAMEWISE_USERNAME",
    "FRAMEWISE_PASSWORD",
    "FRAMEWISE_TOKEN",
    "FRAMEWISE_TEST_MEDIA",
    "FRAMEWISE_TEST_WEIGHTS",
    "FRAMEWISE_URL",  # of the examples
}


def variable(name: str) -> str:
    return f"FRAMEWISE_{name.upper()}"


def documented() -> dict[str, str]:
    """Variable → the cell of its default."""
    return {code_spans(cells[0])[0]: cells[1] for cells in rows(read(PAGE)) if VARIABLE.search(cells[0])}


def test_every_setting_is_documented_once_and_no_other():
    listed = [code_spans(cells[0])[0] for cells in rows(read(PAGE)) if VARIABLE.search(cells[0])]
    assert sorted(listed) == sorted(variable(name) for name in Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_default_is_the_real_one(name):
    shown = documented()[variable(name)]
    default = Settings.model_fields[name].default
    if default is PydanticUndefined:
        assert not re.match(r"`[\w.]+`|empty", shown), "it is computed: describe it"
    elif default in ("", None):
        assert shown == "empty"
    else:
        expected = str(default).lower() if isinstance(default, bool) else str(default)
        assert code_spans(shown)[0] == expected.removesuffix(".0")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_documented_default_is_a_value_the_setting_takes(name, monkeypatch):
    shown = documented()[variable(name)]
    if Settings.model_fields[name].default_factory is not None or shown == "empty":
        return
    for other in Settings.model_fields:
        monkeypatch.delenv(variable(other), raising=False)
    default = getattr(Settings(), name)
    monkeypatch.setenv(variable(name), code_spans(shown)[0])
    assert getattr(Settings(), name) == default


def test_documents_name_no_unknown_variable():
    known = {variable(name) for name in Settings.model_fields} | OTHER_VARIABLES
    for path in documents():
        unknown = set(VARIABLE.findall(path.read_text(encoding="utf-8"))) - known
        assert not unknown, f"{path.name} names {unknown}"


def test_every_storage_option_is_documented():
    listed = {code_spans(cells[0])[0] for cells in rows(section(read(PAGE), "Storage"))}
    assert listed == _S3_OPTIONS
