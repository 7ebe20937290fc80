"""What workers tell of themselves and of their storage."""

import asyncio
import logging
import os
from types import SimpleNamespace

import orjson
import pytest

from domain.holders import this_process
from domain.outages import OutageLog
from settings import Settings
from storage.errors import StorageConfigurationError, StorageFullError, StorageUnavailableError
from storage.local import LocalStorage
from tasks import health
from tasks.health import living_workers, prepare_patiently, report_for_ever, storage_problem
from tasks.redis_clients import connect_redis


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(health, "storage_outage", OutageLog("storage"))


class Storage(LocalStorage):
    """Answers as the test says."""

    def __init__(self, folder, *answers) -> None:
        super().__init__(folder)
        self.answers = list(answers)

    async def free_bytes(self):
        return await self._answer()

    async def prepare(self):
        await self._answer()

    async def _answer(self):
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        if answer == "hangs":
            await asyncio.sleep(1000)
        return answer


async def test_a_full_disk_is_named_with_its_limit(tmp_path):
    storage = LocalStorage(tmp_path)
    assert await storage_problem(storage, 0) is None
    problem = await storage_problem(storage, 2**60)
    assert problem is not None
    assert problem.startswith("the disk is full: ")
    assert "limit: min_free_bytes" in problem


async def test_a_storage_that_does_not_answer_is_said_once(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(health, "_STORAGE_SECONDS", 0.05)
    secret = StorageUnavailableError("no answer from http://user:secret@s3")
    storage = Storage(tmp_path, secret, "hangs", 10**12)
    assert await storage_problem(storage, 1) == "storage does not answer"
    assert await storage_problem(storage, 1) == "storage does not answer"
    assert await storage_problem(storage, 1) is None
    assert [record.message.partition(" (")[0].partition(",")[0] for record in caplog.records] == [
        "storage does not answer",
        "storage answers again",
    ]


async def test_a_server_that_cannot_say_how_full_it_is_is_not_asked_all_the_time(tmp_path, monkeypatch):
    storage = Storage(tmp_path, None, StorageUnavailableError("gone"))
    assert [await storage_problem(storage, 2**60) for _ in range(5)] == [None] * 5
    monkeypatch.setattr(health, "_TRUST_SECONDS", 0)
    assert await storage_problem(storage, 2**60) == "storage does not answer"


async def test_a_storage_that_is_away_or_full_is_waited_for(tmp_path, monkeypatch):
    storage = Storage(tmp_path, StorageUnavailableError("gone"), StorageFullError("full"), None)
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _seconds: sleep(0))
    await prepare_patiently(storage)
    assert storage.answers == []
    with pytest.raises(StorageConfigurationError):
        await prepare_patiently(Storage(tmp_path, StorageConfigurationError("no bucket")))


async def test_a_worker_is_seen_while_it_lives(private_valkey, caplog, monkeypatch):
    monkeypatch.setattr(health, "REPORT_SECONDS", 0.05)
    redis = connect_redis(private_valkey.url)
    runtime = SimpleNamespace(
        settings=Settings(slots=3), redis=redis, pool=SimpleNamespace(busy=2), problem=None
    )
    reporting = asyncio.create_task(report_for_ever(runtime))

    async def until(condition) -> None:
        async with asyncio.timeout(60):
            while not condition(await living_workers(redis)):
                await asyncio.sleep(0.05)

    try:
        await until(lambda workers: [(one.slots, one.busy, one.problem) for one in workers] == [(3, 2, None)])
        runtime.problem = "the disk is full"
        await until(lambda workers: [one.problem for one in workers] == ["the disk is full"])
        (key,) = await redis.keys("framewise:worker:*")
        assert 0 < await redis.ttl(key) <= 10
        # One of another machine counts for its time; one of this machine that was killed does not.
        ended = this_process().replace(f"/{os.getpid()}/", "/4000000/")
        await redis.set(f"framewise:worker:{ended}", orjson.dumps(vars(await _only(redis))), ex=10)
        assert len(await living_workers(redis)) == 1
        await redis.delete(f"framewise:worker:{ended}")
        await redis.set("framewise:worker:other", orjson.dumps({**vars(await _only(redis)), "pid": 1}), ex=10)
        assert len(await living_workers(redis)) == 2
        await redis.delete("framewise:worker:other")
        private_valkey.kill()
        private_valkey.empty()
        await asyncio.sleep(0.3)
        assert not reporting.done()
        await asyncio.to_thread(private_valkey.start)
        async with asyncio.timeout(60):
            while not await redis.keys("framewise:worker:*"):
                await asyncio.sleep(0.05)
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)
        assert await living_workers(redis) == []
        await redis.aclose()
    assert all(record.levelno < logging.ERROR for record in caplog.records)


async def _only(redis):
    (worker,) = await living_workers(redis)
    return worker
