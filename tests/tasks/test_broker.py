"""The doorbell over a real Valkey that is killed, emptied and halted."""

import asyncio
import logging
import threading
import time
from contextlib import contextmanager

import dramatiq
import pytest

from domain.outages import OutageLog
from tasks import broker as broker_module
from tasks import doorbell, redis_clients
from tasks.broker import QUEUE, make_broker
from tasks.doorbell import ring
from tasks.redis_clients import connect_redis, try_redis

PATIENCE_SECONDS = 90


@pytest.fixture(autouse=True)
def outage(monkeypatch):
    fresh = OutageLog("Redis", retry_seconds=0.2)
    for module in (redis_clients, broker_module, doorbell):
        monkeypatch.setattr(module, "redis_outage", fresh)
    return fresh


@contextmanager
def listening(url: str, rings: list[float]):
    """A worker of Dramatiq that notes when somebody rang, and no event loop."""
    before = dramatiq.broker.global_broker
    broker = make_broker(url)
    broker.middleware = [one for one in broker.middleware if type(one).__name__ != "LoopThread"]

    def work() -> None:
        rings.append(time.monotonic())

    dramatiq.actor(work, queue_name=QUEUE, broker=broker)
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=50)
    worker.start()
    try:
        yield broker
    finally:
        worker.stop(timeout=10_000)
        broker.client.close()
        dramatiq.set_broker(before)


async def eventually(condition, what: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def rings_until_heard(rings: list[float]) -> None:
    """As the sweeper does."""
    heard = len(rings)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(rings) == heard:
            await ring()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("emptied", [False, True])
async def test_the_doorbell_works_again_after_valkey_was_killed(private_valkey, caplog, emptied):
    rings: list[float] = []
    caplog.set_level(logging.INFO)
    with listening(private_valkey.url, rings):
        await rings_until_heard(rings)
        private_valkey.kill()
        for _ in range(3):
            assert not await ring()
            await asyncio.sleep(0.5)
        if emptied:
            private_valkey.empty()
        await asyncio.to_thread(private_valkey.start)
        await rings_until_heard(rings)
        await rings_until_heard(rings)
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 2, said
    assert said[0].startswith("Redis does not answer")
    assert said[1].startswith("Redis answers again")


async def test_a_message_that_could_not_be_acknowledged_is_later(private_valkey):
    rings: list[float] = []
    done = threading.Event()
    entered = threading.Event()
    before = dramatiq.broker.global_broker
    broker = make_broker(private_valkey.url)
    broker.middleware = [one for one in broker.middleware if type(one).__name__ != "LoopThread"]

    def work() -> None:
        rings.append(time.monotonic())
        entered.set()
        done.wait(PATIENCE_SECONDS)

    dramatiq.actor(work, queue_name=QUEUE, broker=broker)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=50)
    worker.start()
    try:
        await ring()
        await eventually(entered.is_set, "it works")
        private_valkey.kill()
        done.set()
        # Its thread is free at once: it does not wait for Valkey to acknowledge.
        await eventually(lambda: worker.work_queue.unfinished_tasks == 0, "the slot is free")
        await asyncio.to_thread(private_valkey.start)

        def kept() -> int:
            return broker.client.hlen(f"dramatiq:{QUEUE}.msgs")

        await eventually(lambda: kept() == 0, "the message was acknowledged")
        assert len(rings) == 1
    finally:
        worker.stop(timeout=10_000)
        broker.client.close()
        dramatiq.set_broker(before)


async def test_a_valkey_that_hangs_holds_nobody_for_long(private_valkey, outage):
    client = connect_redis(private_valkey.url)
    rings: list[float] = []
    try:
        with listening(private_valkey.url, rings):
            await rings_until_heard(rings)
            assert await try_redis("the test", client.ping)
            private_valkey.halt()
            try:
                began = time.monotonic()
                assert not await try_redis("the test", client.ping)
                for _ in range(100):
                    assert not await try_redis("the test", client.ping)
                assert not await ring()
                # A hundred waits of half a second would be far more.
                assert time.monotonic() - began < 20
                assert outage.is_on
            finally:
                private_valkey.go_on()
            await rings_until_heard(rings)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await try_redis("the test", client.ping):
                    await asyncio.sleep(0.1)
    finally:
        await client.aclose()


async def test_a_worker_ends_while_valkey_hangs(private_valkey):
    rings: list[float] = []
    with listening(private_valkey.url, rings):
        await rings_until_heard(rings)
        private_valkey.halt()
    private_valkey.go_on()
