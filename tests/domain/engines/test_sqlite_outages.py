"""SQLite files that are locked, full or not there, and queries that come through it."""

import asyncio
import os
import sqlite3
import subprocess
import sys

import pytest
from tortoise import connections
from tortoise.transactions import in_transaction

from domain.database import connect, disconnect
from domain.outages import is_outage
from domain.sql import fetch_rows
from tests.databases import connected
from tests.domain.queries import add_user, add_user_in_transaction, ask, names, outcome, patiently


@pytest.fixture
async def sqlite_url(tmp_path):
    url = f"sqlite://{tmp_path / 'test.sqlite3'}"
    async with connected(url):
        yield url


async def test_a_locked_sqlite_file_is_an_outage_that_ends(tmp_path):
    path = tmp_path / "test.sqlite3"
    async with connected(f"sqlite://{path}?busy_timeout=50"):
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        for coroutine in (add_user("ada"), add_user_in_transaction("ada")):
            error = await outcome(coroutine)
            assert error is not None
            assert is_outage(error), error
        waiting = asyncio.create_task(patiently(lambda: add_user_in_transaction("ada")))
        await asyncio.sleep(0.3)
        other.execute("COMMIT")
        other.close()
        await waiting
        assert await names() == ["ada"]


async def test_a_commit_that_fails_leaves_no_transaction_open(tmp_path):
    """A reader of a rollback journal lets others write and keeps them from committing."""
    path = tmp_path / "test.sqlite3"
    async with connected(f"sqlite://{path}?busy_timeout=50&journal_mode=DELETE"):
        await add_user("ada")
        reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM users").fetchall()
        error = await outcome(add_user_in_transaction("grace"))
        assert error is not None
        assert is_outage(error), error
        reader.execute("COMMIT")
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")  # nobody else has it
        other.execute("COMMIT")
        other.close()
        reader.close()
        assert await names() == ["ada"]


async def test_a_full_sqlite_file_is_an_outage_that_ends(sqlite_url):
    client = connections.get("default")
    pages = (await client.execute_query_dict("PRAGMA page_count"))[0]["page_count"]
    await client.execute_query_dict(f"PRAGMA max_page_count = {pages + 2}")

    async def fill(in_a_transaction: bool) -> None:
        for number in range(1000):
            await (add_user_in_transaction if in_a_transaction else add_user)(f"{number} {in_a_transaction}")

    for in_a_transaction in (False, True):
        error = await outcome(fill(in_a_transaction))
        assert error is not None
        assert "full" in str(error)
        assert is_outage(error)
    await client.execute_query_dict("PRAGMA max_page_count = 100000")
    await add_user_in_transaction("ada")
    assert "ada" in await names()


FULL_DISK = """
import asyncio, resource, signal, sys
from domain.database import connect, disconnect, migrate
from domain.outages import is_outage
from tests.domain.queries import add_user, add_user_in_transaction, names, outcome

async def main(url):
    await migrate(url)
    await connect(url)
    await add_user("ada")
    # A file that must not grow, as on a disk that is full; the WAL has a little room left.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    kept, error, number = ["ada"], None, 0
    while error is None:
        number += 1
        add = add_user if number % 2 else add_user_in_transaction
        error = await outcome(add(f"user {number}"))
        if error is None:
            kept.append(f"user {number}")
    assert is_outage(error), repr(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await add_user_in_transaction("grace")
    assert await names() == sorted([*kept, "grace"])
    await disconnect()

asyncio.run(main(sys.argv[1]))
"""


async def test_sqlite_on_a_full_disk_loses_nothing_and_goes_on(tmp_path):
    url = f"sqlite://{tmp_path / 'test.sqlite3'}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FULL_DISK, url, str(400 * 1024),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def test_a_sqlite_file_that_cannot_be_opened_is_an_outage_that_ends(tmp_path):
    folder = tmp_path / "later"
    await connect(f"sqlite://{folder / 'test.sqlite3'}")
    try:
        for _ in range(3):
            for coroutine in (ask(), _in_transaction()):
                async with asyncio.timeout(60):
                    error = await outcome(coroutine)
                assert error is not None
                assert is_outage(error), error
        folder.mkdir()
        assert await ask() == 1
    finally:
        await disconnect()


async def _in_transaction() -> None:
    async with in_transaction():
        await ask()


async def test_a_connection_without_its_pragmas_is_not_used(tmp_path, monkeypatch):
    path = tmp_path / "test.sqlite3"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE one (a)")
    other.execute("BEGIN EXCLUSIVE")
    await connect(f"sqlite://{path}?busy_timeout=10")
    try:
        error = await outcome(ask())  # journal_mode=WAL needs the lock
        assert error is not None
        assert is_outage(error), error
        other.execute("COMMIT")
        rows = await fetch_rows("PRAGMA foreign_keys")
        assert rows == [{"foreign_keys": 1}]
    finally:
        other.close()
        await disconnect()
