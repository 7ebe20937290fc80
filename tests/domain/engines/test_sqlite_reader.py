"""Reads on the event loop: the same rows as the thread's, and none that take long."""

import sqlite3

import pytest
from tortoise import connections
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction

from domain.accounts.models import User
from domain.database import connect, disconnect, migrate
from domain.engines import sqlite_reader
from domain.engines.sqlite_reader import SqliteReader
from domain.sql import fetch_values

COUNT = "SELECT COUNT(*) FROM users WHERE username = ?"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT MAX(i) FROM n"


@pytest.fixture
async def sqlite(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_reader, "_READ_SECONDS", 60.0)
    url = f"sqlite://{tmp_path / 'framewise.sqlite3'}"
    await migrate(url)
    await connect(url)
    yield
    await disconnect()


@pytest.fixture
def reader(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_reader, "_READ_SECONDS", 60.0)  # however slow this machine is
    path = str(tmp_path / "file with #, ? and %.sqlite3")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
        connection.executemany("INSERT INTO things VALUES (?, ?)", [(n, f"n{n}") for n in range(300)])
    connection.close()
    reader = SqliteReader(path, lambda _connection: None)
    yield reader
    reader.close()


def test_a_short_read_is_done_however_often(reader):
    for _ in range(500):
        assert len(reader.read("SELECT * FROM things WHERE id >= ? ORDER BY id", [100])) == 200


def test_a_long_read_is_given_up_and_the_next_short_one_is_not(reader):
    assert reader.read(ENDLESS, []) is None
    assert reader.read("SELECT name FROM things WHERE id = ?", [7]) == [("n7",)]


def test_after_a_read_that_waited_the_file_is_left_alone(reader, monkeypatch):
    monkeypatch.setattr(sqlite_reader, "_REST_SECONDS", 3600.0)
    monkeypatch.setattr(sqlite_reader, "_READ_SECONDS", -1.0)
    reader.read("SELECT 1", [])
    monkeypatch.setattr(sqlite_reader, "_READ_SECONDS", 60.0)
    assert reader.read("SELECT 1", []) is None
    reader._rests_until = 0.0
    assert reader.read("SELECT 1", []) == [(1,)]


def test_it_cannot_write_and_makes_no_file(reader, tmp_path):
    assert reader.read("DELETE FROM things RETURNING id", []) is None
    assert reader.read("SELECT COUNT(*) FROM things", []) == [(300,)]
    missing = tmp_path / "missing.sqlite3"
    assert SqliteReader(str(missing), lambda _connection: None).read("SELECT 1", []) is None
    assert not missing.exists()


def test_a_locked_database_is_not_waited_for(reader):
    other = sqlite3.connect(reader._path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE things SET name = 'changed'")
    before = reader.read("SELECT name FROM things WHERE id = 1", [])
    assert before in (None, [("n1",)])
    other.execute("COMMIT")
    other.close()
    assert reader.read("SELECT name FROM things WHERE id = 1", []) == [("changed",)]


async def _count(name: str) -> int:
    return (await fetch_values(COUNT, name))[0][0]


async def test_what_was_written_is_read_at_once_and_what_is_not_committed_only_inside(sqlite):
    user = await User.create(username="ada", username_key="ada", password_hash="x")
    assert await _count("ada") == 1
    async with in_transaction():
        await User.filter(id=user.id).update(username="bea")
        assert await _count("bea") == 1
    assert (await _count("bea"), await _count("ada")) == (1, 0)


async def test_what_the_reader_gives_up_the_thread_does(sqlite):
    assert (await fetch_values(ENDLESS))[0][0] == 300_000


async def test_a_mistake_is_told_as_ever(sqlite):
    with pytest.raises(OperationalError, match="no such table"):
        await fetch_values("SELECT * FROM nowhere")


async def test_letters_are_made_large_as_the_thread_does(sqlite):
    assert tuple((await fetch_values("SELECT UPPER(?)", "äß"))[0]) == ("Äß",)


async def test_it_is_closed_with_the_connection(sqlite):
    await fetch_values(COUNT, "ada")
    client = connections.get("default")
    await fetch_values(COUNT, "ada")
    assert client._reader._connection is not None
    await client.drop_connection()
    assert client._reader._connection is None
    assert await _count("ada") == 0
