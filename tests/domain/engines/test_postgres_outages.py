"""A PostgreSQL that is killed, halted or full, and queries that come through it."""

import asyncio

import asyncpg
import pytest
from tortoise.transactions import in_transaction

from domain.database import connect, disconnect, migrate
from domain.outages import is_outage
from domain.sql import fetch_rows
from tests.databases import connected
from tests.domain.queries import add_user_in_transaction, ask, names, outcome, patiently


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
    async with connected(private_postgres.url):
        pass  # making the tables may take longer than the limit below
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
