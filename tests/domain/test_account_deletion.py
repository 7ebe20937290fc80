"""Deleting an account, whole or after a crash: on SQLite and PostgreSQL."""

import asyncio

import pytest

from domain import content_deletion as deletion
from domain.account_deletion import delete_account, finish_account_deletions
from domain.accounts.deletion import begin_deletion, going_accounts, is_there
from domain.accounts.models import RefreshToken, Session, User
from domain.accounts.service import sign_in, sign_up
from domain.accounts.sessions import AccountSettings, authenticate, refresh_session
from domain.analyses.models import Analysis
from domain.errors import NotSignedInError, WrongCredentialsError
from domain.events import Event
from domain.removals import process_removals
from domain.videos.models import Video
from tests.domain.making import PASSWORD, analyse, events, keys, make_user, upload

LATE = 60.0
SETTINGS = AccountSettings(b"s" * 32, 900, 3600)


async def begin(user):
    await begin_deletion(await User.get(id=user.id), PASSWORD)


async def test_an_account_is_there_until_its_deletion_begins(database):
    users = [await make_user(name) for name in ("ada", "bob", "zoe", "deleter")]
    assert [await is_there(user.id) for user in users] == [True] * 4
    await begin(users[1])
    assert [await is_there(user.id) for user in users] == [True, False, True, True]


async def test_everything_of_the_account_goes_and_nothing_of_others(database, storage):
    session = await sign_up(SETTINGS, "ada", PASSWORD, None, None)
    ada, bob = session.user, await make_user("bob")
    for number in range(3):
        video = await upload(storage, ada, b"%d" % number)
        await analyse(storage, ada, video)
    theirs = await upload(storage, bob, b"1")
    await delete_account(storage, ada, PASSWORD, late_write_seconds=LATE)
    assert await keys(storage) == {theirs.storage_key}
    assert [user.id for user in await User.all()] == [bob.id]
    assert await Video.all().count() == 1
    for table in (Analysis, Session, RefreshToken):
        assert await table.all().count() == 0
    assert {event.owner_id for event in await Event.all()} == {bob.id}
    assert await events(bob.id) == ["VIDEO_UPLOADED"]


async def test_the_sessions_end_at_once_and_the_name_is_free(database, storage):
    session = await sign_up(SETTINGS, "ada", PASSWORD, None, None)
    await authenticate(session.access_token.token, SETTINGS.secret)
    await begin(session.user)
    with pytest.raises(NotSignedInError):
        await authenticate(session.access_token.token, SETTINGS.secret)
    with pytest.raises(WrongCredentialsError):
        await refresh_session(SETTINGS, session.refresh_token)
    for password in (PASSWORD, ""):
        with pytest.raises(WrongCredentialsError):
            await sign_in(SETTINGS, "ada", password)
    again = await sign_up(SETTINGS, "ada", PASSWORD, None, None)
    assert again.user.id != session.user.id
    assert await finish_account_deletions(late_write_seconds=LATE) == 1
    assert [user.id for user in await User.all()] == [again.user.id]


@pytest.mark.parametrize("password", ["wrong", "", "x" * 5000, "nul\0", "\ud800"])
async def test_a_wrong_password_deletes_nothing(database, storage, password):
    ada = await make_user()
    await upload(storage, ada)
    with pytest.raises(WrongCredentialsError) as caught:
        await delete_account(storage, ada, password, late_write_seconds=LATE)
    assert caught.value.path == ("password",)
    assert (await User.all().count(), await Video.all().count()) == (1, 1)


async def test_a_deletion_that_broke_off_is_finished_by_workers(database, storage, monkeypatch):
    monkeypatch.setattr(deletion, "BATCH", 2)
    ada, bob = await make_user("ada"), await make_user("bob")
    for number in range(5):
        await analyse(storage, ada, await upload(storage, ada, b"%d" % number))
    await begin(ada)

    assert await going_accounts() == [ada.id]
    assert await keys(storage) != set()
    assert await finish_account_deletions(late_write_seconds=0) == 1
    assert await finish_account_deletions(late_write_seconds=0) == 0
    assert [user.id for user in await User.all()] == [bob.id]
    await process_removals(storage)
    assert await keys(storage) == set()


async def test_api_and_worker_may_finish_it_together(database, storage):
    ada = await make_user()
    for number in range(12):
        await analyse(storage, ada, await upload(storage, ada, b"%d" % number))
    await asyncio.gather(
        delete_account(storage, ada, PASSWORD, late_write_seconds=LATE),
        *(_finish_often() for _ in range(2)),
    )
    assert await User.all().count() == 0
    await process_removals(storage)
    assert await keys(storage) == set()


async def _finish_often():
    for _ in range(10):
        await finish_account_deletions(late_write_seconds=LATE)
        await asyncio.sleep(0.01)


async def test_an_upload_that_comes_in_while_the_account_goes_leaves_nothing(database, storage):
    for turn in range(6):
        ada = await make_user(f"ada{turn}")
        await upload(storage, ada, b"first")
        outcomes = await asyncio.gather(
            delete_account(storage, ada, PASSWORD, late_write_seconds=LATE),
            *(_upload_or_refused(storage, ada, b"%d" % number) for number in range(4)),
        )
        assert outcomes[0] is None
        assert await User.all().count() == 0
        assert await Video.all().count() == 0
    assert await keys(storage) == set()


async def _upload_or_refused(storage, owner, data):
    before = await keys(storage)
    try:
        await upload(storage, owner, data)
    except NotSignedInError:
        for key in await keys(storage) - before:
            await storage.delete(key)
