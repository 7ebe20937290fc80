"""What the audit log keeps, in the table and in the server's log."""

import json
import logging
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.account_deletion import delete_account
from domain.accounts import service, sessions
from domain.accounts.audit import AuditEntry, AuditKind, Caller, Person, prune_audit, record
from domain.accounts.models import User
from domain.content_deletion import delete_analysis, delete_video
from domain.errors import NotFoundError, WrongCredentialsError
from storage.local import LocalStorage
from tests.domain.making import PASSWORD, analyse, make_user, upload

SETTINGS = sessions.AccountSettings(b"s" * 32, 900, 3600)
CALLER = Caller("192.0.2.7", "a browser")

pytestmark = pytest.mark.usefixtures("database")


async def _kinds(**about) -> list[str]:
    return [entry.kind.value for entry in await AuditEntry.filter(**about).order_by("created_at")]


async def test_the_steps_of_an_account():
    first = await service.sign_up(SETTINGS, "ada", PASSWORD, None, None, caller=CALLER)
    viewer = await sessions.authenticate(first.access_token.token, SETTINGS.secret)
    with pytest.raises(WrongCredentialsError):
        await service.sign_in(SETTINGS, "ADA", "wrong horse", caller=CALLER)
    second = await service.sign_in(SETTINGS, "ada", PASSWORD, caller=CALLER)
    await sessions.refresh_session(SETTINGS, second.refresh_token, caller=CALLER)
    for _ in range(2):
        with pytest.raises(WrongCredentialsError):
            await sessions.refresh_session(SETTINGS, second.refresh_token, caller=CALLER)
    await service.change_password(viewer, PASSWORD, "another horse", caller=CALLER)
    for _ in range(2):
        await sessions.sign_out(first.refresh_token, caller=CALLER)
    assert await _kinds(user_id=first.user.id) == [
        "SIGNED_UP",
        "SIGNED_IN",
        "SIGN_IN_FAILED",
        "SIGNED_IN",
        "REFRESH_TOKEN_REUSED",
        "PASSWORD_CHANGED",
        "SIGNED_OUT",
    ]
    for entry in await AuditEntry.all():
        assert (entry.username, entry.address, entry.user_agent) == ("ada", "192.0.2.7", "a browser")


async def test_a_sign_in_of_nobody_is_noted_and_its_name_not_logged(caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(WrongCredentialsError):
        await service.sign_in(SETTINGS, "my password, by mistake", "x", caller=CALLER)
    entry = await AuditEntry.get()
    assert (entry.kind, entry.user_id, entry.username) == (
        AuditKind.SIGN_IN_FAILED, None, "my password, by mistake",
    )  # fmt: skip
    assert "mistake" not in caplog.text
    assert "192.0.2.7" in caplog.text


async def test_deletions_and_what_is_left_of_an_account(tmp_path):
    storage = LocalStorage(tmp_path / "files")
    ada, eve = await make_user("ada"), await make_user("eve")
    video = await upload(storage, ada)
    analysis = await analyse(storage, ada, video)
    late = {"late_write_seconds": 0.0}
    with pytest.raises(NotFoundError):
        await delete_video(storage, eve.id, video.id, caller=CALLER, **late)
    await delete_analysis(storage, ada.id, analysis.id, caller=CALLER, **late)
    second = await analyse(storage, ada, video)
    await delete_video(storage, ada.id, video.id, caller=CALLER, **late)
    with pytest.raises(WrongCredentialsError):
        await delete_account(storage, ada, "wrong horse", caller=CALLER, **late)
    await delete_account(storage, ada, PASSWORD, caller=CALLER, **late)
    assert not await User.exists(id=ada.id)
    found = {(entry.kind.value, entry.subject_id) for entry in await AuditEntry.filter(user_id=ada.id)}
    assert found == {
        ("ANALYSIS_DELETED", analysis.id),
        ("ANALYSIS_DELETED", second.id),
        ("VIDEO_DELETED", video.id),
        ("ACCOUNT_DELETED", ada.id),
    }
    assert await _kinds(user_id=eve.id) == []


async def test_lines_of_the_log_cannot_be_forged(caplog):
    caplog.set_level(logging.INFO)
    agent = 'x"}\nINFO framewise.audit: audit {"kind": "SIGNED_IN"\u2028\u202e' + "long" * 200
    await record(AuditKind.SIGNED_IN, Person(uuid4(), "a" * 100 + "\n"), Caller("\n" * 100, agent))
    (line,) = caplog.messages
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line.removeprefix("audit "))["user_agent"] == agent[:255]


async def test_text_that_no_database_stores_is_spelled_out():
    await record(AuditKind.SIGN_IN_FAILED, Person(None, "a\0b\ud800"), Caller(None, "\ud800"))
    entry = await AuditEntry.get()
    assert (entry.username, entry.user_agent) == ("a\\x00b\\ud800", "\\ud800")


async def test_old_entries_go():
    for days in (1, 9, 11):
        await record(AuditKind.SIGNED_IN, Person(uuid4(), f"u{days}"))
        await AuditEntry.filter(username=f"u{days}").update(
            created_at=datetime.now(UTC) - timedelta(days=days)
        )
    assert await prune_audit(10) == 1
    assert {entry.username for entry in await AuditEntry.all()} == {"u1", "u9"}
