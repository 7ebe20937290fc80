"""`framewise audit`."""

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.audit import audit_lines, parse_since
from cli.errors import CliError
from domain.accounts.audit import AuditKind, Caller, Person, record
from domain.accounts.service import create_user
from domain.database import connect, disconnect, migrate, sqlite_file
from settings import Settings

NOW = datetime(2026, 5, 10, 12, tzinfo=UTC)


async def _fill(directory) -> None:
    url = f"sqlite://{directory / 'framewise.sqlite3'}"
    await migrate(url)
    await connect(url)
    try:
        ada = await create_user("ada", "correct horse")
        await record(AuditKind.SIGNED_IN, Person(ada.id, "ada"), Caller("192.0.2.7", "evil\x1b[2J\nagent"))
        await record(AuditKind.SIGN_IN_FAILED, Person(None, "nobody"), Caller("192.0.2.8"))
    finally:
        await disconnect()


def _run(directory, *options):
    result = CliRunner().invoke(app, ["audit", "--data-dir", str(directory), *options])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_it_shows_entries_and_picks_them(tmp_path):
    import asyncio

    asyncio.run(_fill(tmp_path))
    lines = _run(tmp_path)
    assert [line.split("  ")[1:3] for line in lines] == [
        ["SIGNED_UP", "ada"],
        ["SIGNED_IN", "ada"],
        ["SIGN_IN_FAILED", "nobody"],
    ]
    assert lines[1].endswith(r"from 192.0.2.7  by evil\x1b[2J\nagent")
    assert lines[2].endswith("(no such account)  from 192.0.2.8")
    assert len(_run(tmp_path, "--user", "ADA")) == 2
    assert len(_run(tmp_path, "--user", "nobody", "--since", "1h")) == 1
    assert _run(tmp_path, "--limit", "1") == lines[2:]
    assert _run(tmp_path, "--since", "2100-01-01") == ["Nothing is in the audit log."]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", datetime(2026, 5, 10, 10, 30, tzinfo=UTC)),
        ("2d", datetime(2026, 5, 8, 12, tzinfo=UTC)),
        ("2026-05-01T10:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
    ],
)
def test_moments(text, moment):
    assert parse_since(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "5y", "-3d", "0001-01-01", "9999999d"])
def test_what_is_no_moment(text):
    with pytest.raises(CliError, match="--since"):
        parse_since(text, NOW)


def test_reading_makes_no_database(tmp_path):
    result = CliRunner().invoke(app, ["audit", "--data-dir", str(tmp_path / "typo")])
    assert isinstance(result.exception, CliError)
    assert str(result.exception).startswith("There is no database at ")
    assert list(tmp_path.iterdir()) == []


async def test_reading_changes_no_database(database_url):
    settings = Settings(database_url=database_url)
    if file := sqlite_file(database_url):
        file.touch()
    with pytest.raises(CliError, match=r"0001_initial.*run `framewise migrate`"):
        await audit_lines(settings)
    with pytest.raises(CliError, match="0001_initial"):
        await audit_lines(settings)
    await migrate(database_url)
    assert await audit_lines(settings) == []
