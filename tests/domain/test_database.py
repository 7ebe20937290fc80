"""Connections and migrations over real databases."""

import asyncio
import sqlite3
import subprocess
import sys
from uuid import uuid4

import pytest
from tortoise import connections
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.context import TortoiseContext, get_current_context
from tortoise.migrations.autodetector import MigrationAutodetector

from domain.accounts.models import Session, User
from domain.database import connect, disconnect, migrate, tortoise_config
from domain.pages import Rows, columns_of, read_all
from domain.videos.models import Video
from domain.videos.service import filter_videos
from tests.domain.making import make_user


@pytest.fixture(autouse=True)
def _forget_sql():
    EXECUTOR_CACHE.clear()


async def test_migrations_make_what_the_models_need(database_url):
    assert await migrate(database_url)
    assert await migrate(database_url) == []
    await connect(database_url)
    try:
        models = list(get_current_context().apps["framewise"].values())
        assert len(models) >= 8
        for model in models:
            assert await model.all().values() == []
    finally:
        await disconnect()


async def test_the_models_have_no_change_without_a_migration():
    config = tortoise_config("sqlite://:memory:")
    async with TortoiseContext() as context:
        await context.init(config=config)
        changes = await MigrationAutodetector(context.apps, config["apps"]).changes()
    assert [operation for writer in changes for operation in writer.operations] == []


async def test_processes_that_migrate_at_once_do_it_once(database_url):
    program = (
        "import asyncio, sys; from domain.database import migrate;"
        "sys.stdin.readline(); print(len(asyncio.run(migrate(sys.argv[1]))))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, database_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = await asyncio.gather(*(asyncio.to_thread(process.communicate) for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0], outcomes
    applied = sorted(int(output) for output, _ in outcomes)
    assert applied[:2] == [0, 0]
    assert applied[2] > 0


async def _count_users():
    return await User.all().count()


async def test_other_tasks_see_the_connection(database_url):
    await migrate(database_url)
    await asyncio.create_task(connect(database_url))
    try:
        assert await asyncio.create_task(_count_users()) == 0
    finally:
        await asyncio.create_task(disconnect())
    with pytest.raises(RuntimeError, match="No TortoiseContext"):
        await _count_users()
    await disconnect()


async def test_deleting_a_user_deletes_what_is_theirs(database):
    user = await User.create(id=uuid4(), username="a", username_key="a", password_hash="x")
    await Session.create(id=uuid4(), user=user, expires_at="2030-01-01T00:00:00Z")
    await user.delete()
    assert await Session.all().count() == 0


async def test_sqlite_is_set_up_for_several_processes(tmp_path):
    url = f"sqlite://{tmp_path / 'test.sqlite3'}"
    await migrate(url)
    await connect(url)
    try:
        found = {}
        for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout"):
            rows = await connections.get("default").execute_query_dict(f"PRAGMA {pragma}")
            found[pragma] = next(iter(rows[0].values()))
        assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 10_000}
    finally:
        await disconnect()


async def test_foreign_keys_are_off_while_sqlite_migrates(tmp_path, monkeypatch):
    """Altering a table rebuilds it; with foreign keys on, its children would go with the old one."""
    from tortoise.migrations.executor import MigrationExecutor

    seen = []
    migrate_all = MigrationExecutor.migrate

    async def watched(self, *arguments, **options):
        seen.extend(await self.connection.execute_query_dict("PRAGMA foreign_keys"))
        await migrate_all(self, *arguments, **options)

    monkeypatch.setattr(MigrationExecutor, "migrate", watched)
    await migrate(f"sqlite://{tmp_path / 'test.sqlite3'}")
    assert seen == [{"foreign_keys": 0}]


def test_parameters_of_the_url_win(tmp_path):
    config = tortoise_config(f"sqlite://{tmp_path}/x.sqlite3?busy_timeout=5&foreign_keys=OFF")
    credentials = config["connections"]["default"]["credentials"]
    assert (credentials["busy_timeout"], credentials["foreign_keys"]) == ("5", "OFF")
    assert credentials["synchronous"] == "NORMAL"


async def test_a_locked_sqlite_file_is_waited_for(database):
    if not database.startswith("sqlite"):
        pytest.skip("about SQLite")
    path = database.removeprefix("sqlite://")
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    write = asyncio.create_task(User.create(id=uuid4(), username="a", username_key="a", password_hash="x"))
    await asyncio.sleep(0.3)
    assert not write.done()
    other.execute("COMMIT")
    other.close()
    assert (await write).username == "a"


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("УЛИЦА", {"Улица 1.mp4"}),
        ("straße", {"STRAßE.mp4"}),
        ("STRASSE", set()),
        ("ÉTÉ 100%", {"été 100%.mp4"}),
        ("İ", {"İzmir.mp4"}),
    ],
)
async def test_videos_are_searched_in_any_case(database, search, found):
    owner = await make_user()
    for title in ("Улица 1.mp4", "STRAßE.mp4", "été 100%.mp4", "été 1000.mp4", "İzmir.mp4"):
        await Video.create(
            id=uuid4(),
            owner_id=owner.id,
            title=title,
            filename="v",
            storage_key=title,
            size_bytes=1,
            sha256="",
        )
    rows = filter_videos(Rows(Video, columns_of(["title"])).of_owner(owner.id), search=search)
    assert {title for (title,) in await read_all(rows)} == found
