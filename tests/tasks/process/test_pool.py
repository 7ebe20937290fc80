"""Processes are replaced when they end, grow or have worked long enough."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tasks.process.errors import ProcessDiedError
from tasks.process.options import ProcessOptions
from tasks.process.pool import ProcessPool
from tasks.process.protocol import Message
from tests.tasks.process.trial_models import MIB, OPTIONS

WARM = Message("warm")


@asynccontextmanager
async def opened(size: int, options: ProcessOptions = OPTIONS) -> AsyncIterator[ProcessPool]:
    pool = ProcessPool(size, options)
    pool.open()
    try:
        async with asyncio.timeout(120):
            yield pool
    finally:
        await pool.close()


async def pids_of(pool: ProcessPool, request: Message, times: int) -> list[int]:
    pids = []
    for _ in range(times):
        async with pool.process() as process:
            await process.request(request)
            pids.append(process.pid)
    return pids


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.02)


async def test_a_process_is_used_again(media_dir):
    scan = Message("scan", {"source": str(media_dir / "gestures" / "eat.mkv"), "kind": "PACKETS"})
    async with opened(1) as pool:
        assert len(set(await pids_of(pool, scan, 5))) == 1


async def test_a_process_is_replaced_after_so_many_jobs(media_dir, caplog):
    caplog.set_level("DEBUG")
    scan = Message("scan", {"source": str(media_dir / "gestures" / "eat.mkv"), "kind": "PACKETS"})
    async with opened(1, replace(OPTIONS, max_jobs=2)) as pool:
        pids = await pids_of(pool, scan, 4)
    assert pids[0] == pids[1] != pids[2] == pids[3]
    assert "it has done 2 pieces of work" in caplog.text


async def test_a_process_that_grows_is_replaced(detect, caplog):
    caplog.set_level("DEBUG")
    async with opened(1, replace(OPTIONS, growth_bytes=96 * MIB)) as pool:
        assert len(set(await pids_of(pool, detect("quick"), 6))) == 1
        assert len(set(await pids_of(pool, detect("leaks"), 6))) > 1
    assert "it grew by" in caplog.text


async def test_a_process_that_dies_in_its_work_is_replaced():
    async with opened(1) as pool:
        async with pool.process() as process:
            os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(ProcessDiedError, match="SIGKILL"):
                await process.request(WARM)
        assert await pids_of(pool, WARM, 1) != [process.pid]


async def test_a_process_that_dies_idle_is_replaced_at_once():
    async with opened(1) as pool:
        (pid,) = await pids_of(pool, WARM, 1)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not pool.has_idle)
        await until(lambda: pool.has_idle)
        assert await pids_of(pool, WARM, 1) != [pid]


async def test_a_spare_process_takes_over_from_one_that_died():
    async with opened(1, replace(OPTIONS, spares=1)) as pool:
        await until(lambda: len(pool._idle) == 2)
        async with pool.process() as process:
            assert not pool.has_idle  # the spare is none for another slot
            os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(ProcessDiedError):
                await process.request(WARM)
        assert pool.has_idle
        await until(lambda: len(pool._idle) == 2)


async def test_no_more_processes_work_at_once_than_there_are_slots():
    async with opened(1, replace(OPTIONS, spares=1)) as pool:
        await until(lambda: len(pool._idle) == 2)
        async with pool.process():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2), pool.process():
                    pass


async def test_closing_ends_every_process():
    async with opened(2, replace(OPTIONS, spares=1)) as pool:
        await until(lambda: len(pool._idle) == 3)
        pids = [process.pid for process in pool._all]
        assert len(pids) == 3
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_closing_in_mid_start_leaves_no_process_either():
    pool = ProcessPool(2, OPTIONS)
    pool.open()
    await until(lambda: len(pool._all) == 2)
    pids = [process.pid for process in pool._all]
    await pool.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
