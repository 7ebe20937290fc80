"""What is an outage, what it leaves behind, and waiting for its end."""

import asyncio
import logging
import sqlite3

import asyncpg
import pytest
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.transactions import in_transaction

from domain import outages
from domain.outages import OutageLog, is_outage, through_outages
from domain.sql import fetch_rows
from tests.domain.queries import add_user, add_user_in_transaction, names, outcome, patiently


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
