"""How a process ended is told truly."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tasks.process.death import cause_of_death
from tasks.process.errors import JobError, ProcessDiedError
from tasks.process.pool import ProcessPool
from tests.tasks.process.trial_models import MIB, OPTIONS, started

LIMIT = {"limit_bytes": 8192 * MIB, "last_words": b""}


@pytest.mark.parametrize(
    ("ml_model", "reason"),
    [
        ("crashes", "crashed with signal 11 (SIGSEGV)"),
        ("exits", "ended with exit code 7"),
        ("aborts", "out of memory at 1024 MB"),
        ("fills-then-crashes", "out of memory at 1024 MB"),
    ],
)
async def test_a_process_that_ends_says_why(detect, ml_model, reason):
    async with started() as process:
        with pytest.raises(ProcessDiedError) as caught:
            await process.request(detect(ml_model))
        assert str(caught.value) == reason
        assert not caught.value.is_interruption
        assert not process.is_alive


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_signal_from_outside_is_an_interruption(detect, number):
    async with started() as process:
        working = asyncio.create_task(process.request(detect("sleeps")))
        await asyncio.sleep(0.2)
        os.kill(process.pid, number)
        with pytest.raises(ProcessDiedError, match=number.name) as caught:
            await working
        assert caught.value.is_interruption


@pytest.mark.parametrize("ml_model", ["greedy", "vast"])
async def test_want_of_memory_is_an_error_that_names_the_limit_and_the_process_is_replaced(detect, ml_model):
    pool = ProcessPool(1, OPTIONS)
    pool.open()
    try:
        with pytest.raises(JobError) as caught:
            async with pool.process() as process:
                await process.request(detect(ml_model))
        assert caught.value.kind == "MemoryError"
        assert str(caught.value) == "out of memory at 1024 MB"
        async with pool.process() as another:
            assert another.pid != process.pid
            assert (await another.request(detect("quick"))).kind == "result"
    finally:
        await pool.close()


async def test_what_a_process_started_ends_with_it(detect, trial_models):
    pool = ProcessPool(1, OPTIONS)
    pool.open()
    try:
        with pytest.raises(ProcessDiedError, match="SIGSEGV"):
            async with pool.process() as process:
                await process.request(detect("starts-another"))
        pid = int((trial_models / "child.pid").read_text())
        async with asyncio.timeout(60):
            while _runs(pid):
                await asyncio.sleep(0.02)
    finally:
        await pool.close()


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def test_a_request_to_a_dead_process_says_so(detect):
    async with started() as process:
        await process.kill()
        with pytest.raises(ProcessDiedError):
            await process.request(detect("quick"))


@pytest.mark.parametrize(
    ("exit_code", "data_bytes", "reason", "is_interruption"),
    [
        (-9, 100 * MIB, "was ended by signal 9 (SIGKILL)", True),
        (-9, 8000 * MIB, "out of memory at 8192 MB", False),
        (-15, 100 * MIB, "was ended by signal 15 (SIGTERM)", True),
        (-6, 100 * MIB, "crashed with signal 6 (SIGABRT)", False),
        (-6, 8000 * MIB, "out of memory at 8192 MB", False),
        (-40, 100 * MIB, "crashed with signal 40", False),
        (0, 100 * MIB, "ended with exit code 0", False),
    ],
)
def test_the_cause_depends_on_code_and_memory(exit_code, data_bytes, reason, is_interruption):
    error = cause_of_death(exit_code, data_bytes=data_bytes, **LIMIT)
    assert (str(error), error.is_interruption) == (reason, is_interruption)
