"""Counting in Valkey and in memory, and going on while Valkey is away."""

import asyncio

import pytest

from domain.outages import OutageLog
from graphql_api.rate_limits import limiter as module
from graphql_api.rate_limits.limiter import Rate, RateLimiter, in_words, too_often
from graphql_api.rate_limits.turns import TooManyWaitError, Turns
from tasks import redis_clients
from tasks.redis_clients import connect_redis

HOURLY = Rate.of("a_setting", "3/hour")


@pytest.fixture(autouse=True)
def _fresh_outage(monkeypatch):
    outage = OutageLog("Redis", retry_seconds=0.05)
    monkeypatch.setattr(redis_clients, "redis_outage", outage)
    monkeypatch.setattr(module, "redis_outage", outage)


@pytest.fixture(params=["memory", "valkey"])
async def limiter(request, private_valkey):
    if request.param == "memory":
        yield RateLimiter(None)
        return
    redis = connect_redis(private_valkey.url)
    yield RateLimiter(redis)
    assert await redis.keys("framewise:rates:*")
    await redis.aclose()


async def test_so_many_are_allowed_for_each(limiter):
    assert [await limiter.hit(HOURLY, "ada") for _ in range(3)] == [0, 0, 0]
    assert 0 < await limiter.hit(HOURLY, "ada") <= 3600
    assert 0 < await limiter.wait_seconds(HOURLY, "ada") <= 3600
    assert await limiter.wait_seconds(HOURLY, "bob") == 0
    assert await limiter.hit(HOURLY, "bob") == 0
    assert await limiter.hit(Rate.of("another_setting", "3/hour"), "ada") == 0
    await limiter.forget(HOURLY, "ada")
    assert await limiter.hit(HOURLY, "ada") == 0


async def test_each_part_of_a_rate_counts(limiter):
    rate = Rate.of("a_setting", "100/second, 2/hour")
    assert [await limiter.hit(rate, "ada") for _ in range(2)] == [0, 0]
    assert await limiter.hit(rate, "ada") > 1
    assert await limiter.hit(Rate.of("a_setting", ""), "ada") == 0


async def test_the_count_ends(limiter):
    rate = Rate.of("a_setting", "2/second")
    async with asyncio.timeout(60):
        while not await limiter.hit(rate, "ada"):
            pass
        while await limiter.hit(rate, "ada"):
            await asyncio.sleep(0.1)


async def test_many_at_once_get_no_more(limiter):
    waits = await asyncio.gather(*(limiter.hit(HOURLY, "ada") for _ in range(20)))
    assert sum(wait == 0 for wait in waits) == 3


async def test_processes_count_together(private_valkey):
    clients = [connect_redis(private_valkey.url) for _ in range(2)]
    one, other = (RateLimiter(client) for client in clients)
    for each in (one, other, one):
        assert await each.hit(HOURLY, "ada") == 0
    assert await other.hit(HOURLY, "ada") > 0
    for client in clients:
        await client.aclose()


@pytest.mark.parametrize("failure", ["kill", "halt"])
async def test_without_valkey_each_process_counts_for_itself(private_valkey, failure):
    redis = connect_redis(private_valkey.url)
    limiter = RateLimiter(redis)
    for _ in range(3):
        assert await limiter.hit(HOURLY, "ada") == 0
    getattr(private_valkey, failure)()
    async with asyncio.timeout(60):
        # From zero, but not without a limit.
        assert [await limiter.hit(HOURLY, "ada") for _ in range(3)] == [0, 0, 0]
        assert await limiter.hit(HOURLY, "ada") > 0
        assert redis_clients.redis_outage.is_on
        await asyncio.to_thread(private_valkey.start if failure == "kill" else private_valkey.go_on)
        while redis_clients.redis_outage.is_on:
            await limiter.wait_seconds(HOURLY, "bob")
            await asyncio.sleep(0.05)
    await redis.aclose()


async def test_the_memory_of_past_times_is_let_go_of():
    limiter = RateLimiter(None)
    rate = Rate.of("a_setting", "1/second")
    for number in range(200):
        await limiter.hit(rate, str(number))
    async with asyncio.timeout(60):
        while len(limiter._memory.storage) > 5:
            await limiter.hit(rate, "ada")
            await asyncio.sleep(0.2)
    assert len(limiter._memory.locks) <= 5


def test_what_people_are_told():
    assert [in_words(seconds) for seconds in (0.2, 1, 1.1, 59.5)] == [
        "1 second",
        "1 second",
        "2 seconds",
        "60 seconds",
    ]
    error = too_often(Rate.of("a_setting", "3/hour,10/day"), "Too often", 7.0)
    assert error.limit == "a_setting"
    assert str(error) == (
        "Too often (allowed: 3 per 1 hour, 10 per 1 day): try again in 7 seconds. (limit: a_setting)"
    )


async def test_turns_are_taken_one_by_one_and_the_line_is_short():
    turns, running, most = Turns(3), 0, 0

    async def work(name):
        nonlocal running, most
        async with turns.take(name):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    done = await asyncio.gather(*(work("ada") for _ in range(5)), return_exceptions=True)
    assert most == 1
    assert sum(isinstance(one, TooManyWaitError) for one in done) == 2
    await asyncio.gather(*(work(str(number)) for number in range(5)))
    assert most == 5
    assert turns._lines == {}
