"""Real databases that are killed, halted, full or locked, and queries that come through it."""

import asyncio
import logging
import os
import sqlite3
import subprocess
import sys
from uuid import uuid4

import asyncpg
import pytest
from tortoise import connections
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.transactions import in_transaction

from domain import outages
from domain.accounts.models import User
from domain.database import connect, disconnect, migrate
from domain.outages import OutageLog, is_outage, through_outages
from domain.sql import fetch_rows
from tests.databases import connected


async def ask() -> int:
    return (await fetch_rows("SELECT 1 AS one"))[0]["one"]


async def add_user(name: str) -> User:
    return await User.create(id=uuid4(), username=name, username_key=name, password_hash="x")


async def add_user_in_transaction(name: str) -> None:
    async with in_transaction():
        await add_user(name)


async def names() -> list[str]:
    return sorted(await User.all().values_list("username", flat=True))


async def outcome(coroutine) -> BaseException | None:
    try:
        await coroutine
    except Exception as error:
        return error
    return None


async def patiently(operation):
    return await through_outages(operation, patience_seconds=30, what="the test")


@pytest.fixture
async def postgres(private_postgres):
    async with connected(private_postgres.url):
        yield private_postgres


async def test_postgres_killed_and_started_again_is_found_by_every_connection_of_the_pool(postgres):
    await asyncio.gather(*(fetch_rows("SELECT pg_sleep(0.05)") for _ in range(5)))  # opens all five
    running = [
        asyncio.create_task(outcome(fetch_rows("SELECT pg_sleep(60)"))),
        asyncio.create_task(outcome(_sleep_in_transaction())),
    ]
    await asyncio.sleep(0.2)
    postgres.kill()
    errors = [
        *await asyncio.gather(*running),
        *[await outcome(ask()) for _ in range(8)],
        *[await outcome(add_user_in_transaction("lost")) for _ in range(8)],
    ]
    assert all(error is not None and is_outage(error) for error in errors), errors
    waiting = [asyncio.create_task(patiently(ask)) for _ in range(10)]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in waiting)
    await asyncio.to_thread(postgres.start)
    assert await asyncio.gather(*waiting) == [1] * 10
    # Nothing stays behind: no connection lost from the pool, no task that still sees a transaction.
    assert await asyncio.gather(*(ask() for _ in range(10))) == [1] * 10
    await asyncio.gather(*(add_user_in_transaction(f"user {number}") for number in range(10)))
    assert len(await names()) == 10


async def _sleep_in_transaction() -> None:
    async with in_transaction():
        await fetch_rows("SELECT pg_sleep(60)")


async def test_postgres_restarted_between_two_queries_costs_none(postgres):
    await asyncio.gather(*(fetch_rows("SELECT pg_sleep(0.05)") for _ in range(5)))
    postgres.kill()
    await asyncio.to_thread(postgres.start)
    assert await asyncio.gather(*(ask() for _ in range(5))) == [1] * 5
    postgres.kill()
    await asyncio.to_thread(postgres.start)
    await add_user_in_transaction("ada")


@pytest.mark.parametrize("work", [ask, _sleep_in_transaction])
async def test_connections_that_an_administrator_ends_are_replaced(postgres, work):
    running = [asyncio.create_task(outcome(_sleep_in_transaction())) for _ in range(4)]
    await asyncio.sleep(0.2)
    await fetch_rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'"
    )
    errors = await asyncio.gather(*running)
    assert all(error is not None and is_outage(error) for error in errors), errors
    assert await asyncio.gather(*(ask() for _ in range(10))) == [1] * 10


async def test_postgres_that_hangs_costs_its_callers_a_bounded_time(private_postgres):
    async with connected(private_postgres.url + "&command_timeout=0.5&timeout=1"):
        await ask()
        private_postgres.halt()
        try:
            errors = [await outcome(ask()), await outcome(add_user_in_transaction("lost"))]
        finally:
            private_postgres.go_on()
        assert all(error is not None and is_outage(error) for error in errors), errors
        assert await patiently(ask) == 1
        assert await names() == []


async def test_postgres_without_a_free_connection_is_away(private_postgres):
    private_postgres.kill()
    await asyncio.to_thread(private_postgres.start, max_connections="5", superuser_reserved_connections="0")
    others = [
        await asyncpg.connect(host=str(private_postgres.directory), user="framewise", database="postgres")
        for _ in range(5)
    ]
    await connect(private_postgres.url)
    try:
        error = await outcome(ask())
        assert isinstance(error, asyncpg.TooManyConnectionsError)
        assert is_outage(error)
        waiting = asyncio.create_task(patiently(ask))
        await asyncio.sleep(0.1)
        await others.pop().close()
        assert await waiting == 1
    finally:
        await asyncio.gather(*(other.close() for other in others))
        await disconnect()


async def test_postgres_that_is_not_there_yet_is_away(private_postgres):
    private_postgres.kill()
    (private_postgres.directory / ".s.PGSQL.5432").unlink(missing_ok=True)
    await connect(private_postgres.url)  # asks nothing
    try:
        for coroutine in (ask(), add_user_in_transaction("lost"), migrate(private_postgres.url)):
            error = await outcome(coroutine)
            assert error is not None
            assert is_outage(error), error
        waiting = asyncio.create_task(patiently(ask))
        await asyncio.to_thread(private_postgres.start)
        assert await waiting == 1
    finally:
        await disconnect()


def test_a_connection_that_broke_in_the_middle_is_an_outage():
    assert is_outage(
        asyncpg.InternalClientError("cannot switch to state 15; another operation is in progress")
    )
    assert is_outage(asyncpg.InterfaceError("the underlying connection is closed"))
    assert not is_outage(asyncpg.InterfaceError("cannot perform operation: another operation is in progress"))


async def test_a_wrong_statement_is_no_outage(database):
    await add_user("ada")
    errors = [
        await outcome(fetch_rows("SELECT nonsense FROM nowhere")),
        await outcome(fetch_rows("this is no SQL")),
        await outcome(add_user("ada")),
        await outcome(add_user_in_transaction("ada")),
        ValueError("no"),
        TimeoutError(),
        FileNotFoundError(2, "no such file"),
    ]
    assert [type(error) for error in errors[:2]] == [OperationalError] * 2
    assert [type(error) for error in errors[2:4]] == [IntegrityError] * 2
    assert not any(is_outage(error) for error in errors)


async def test_a_transaction_that_fails_leaves_nothing_open(database):
    """By its own error, by the block's, by cancellation, at any of its steps."""
    await add_user("ada")
    assert await outcome(add_user_in_transaction("ada")) is not None

    async def fails() -> None:
        async with in_transaction():
            await add_user("gone")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        await fails()
    for steps in range(25):
        task = asyncio.create_task(add_user_in_transaction(f"user {steps}"))
        for _ in range(steps):
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(60):
            await add_user_in_transaction(f"after {steps}")
    present = await names()
    assert {"ada", *(f"after {steps}" for steps in range(25))} <= set(present)
    assert "gone" not in present
    if database.startswith("sqlite"):
        with sqlite3.connect(database.removeprefix("sqlite://"), timeout=5) as other:  # sees and writes all
            found = other.execute("SELECT COUNT(*) FROM users").fetchone()[0]
            other.execute("DELETE FROM users")
        other.close()
        assert found == len(present)


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
from tests.domain.test_outages import add_user, add_user_in_transaction, names, outcome

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


async def test_waiting_is_said_once_and_its_end_once(caplog, monkeypatch):
    monkeypatch.setattr(outages, "database_outage", OutageLog("the database"))
    tries = {"a": 0, "b": 0}

    def operation(name: str, fails: int):
        async def run() -> str:
            tries[name] += 1
            if tries[name] <= fails:
                raise ConnectionRefusedError("nobody there")
            return name

        return run

    caplog.set_level(logging.INFO, logger="domain.outages")
    assert await asyncio.gather(patiently(operation("a", 3)), patiently(operation("b", 3))) == ["a", "b"]
    assert tries == {"a": 4, "b": 4}
    said = [record.message for record in caplog.records]
    assert said[0] == "the database does not answer (the test): nobody there"
    assert said[1].startswith("the database answers again, after ")
    assert len(said) == 2


def test_a_long_outage_is_said_again_now_and_then(caplog, monkeypatch):
    outage = OutageLog("Redis", retry_seconds=1000)
    assert outage.is_worth_a_try
    for _ in range(3):
        outage.failed("the doorbell", ConnectionRefusedError())
    assert outage.is_on
    assert not outage.is_worth_a_try
    monkeypatch.setattr(outages, "REMINDER_SECONDS", 0)
    outage.failed("the doorbell", ConnectionRefusedError())
    outage.answered()
    outage.answered()
    assert not outage.is_on
    assert outage.is_worth_a_try
    said = [record.message.partition(",")[0] for record in caplog.records]
    assert said == [
        "Redis does not answer (the doorbell): ConnectionRefusedError",
        "Redis still does not answer (the doorbell): ConnectionRefusedError",
        "Redis answers again",
    ]


async def test_patience_ends():
    async def fails() -> None:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await through_outages(fails, patience_seconds=0.2, what="the test")
    asked = []
    with pytest.raises(ConnectionRefusedError):
        await through_outages(
            fails, patience_seconds=1e9, what="the test", give_up=lambda: len(asked) > 2 or asked.append(1)
        )
    assert len(asked) == 3


async def test_what_is_no_outage_is_raised_at_once():
    tries = []

    async def fails() -> None:
        tries.append(1)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        await patiently(fails)
    assert len(tries) == 1
