import asyncio
import threading

import anyio
import pytest

from storage.cancellation import run_blocking, uncancelled


async def test_a_cancelled_task_waits_for_its_thread() -> None:
    started, may_end = threading.Event(), threading.Event()
    ended = []

    def work() -> None:
        started.set()
        may_end.wait()
        ended.append(True)

    task = asyncio.create_task(run_blocking(work))
    await asyncio.to_thread(started.wait)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


async def test_so_does_one_that_is_cancelled_by_anyio() -> None:
    ended = []

    async def work() -> None:
        await asyncio.sleep(0.05)
        ended.append(True)

    with anyio.move_on_after(0.001) as scope:
        await uncancelled(work())
        await asyncio.sleep(10)
    assert scope.cancelled_caught
    assert ended == [True]


async def test_results_and_errors_come_through() -> None:
    assert await run_blocking(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await run_blocking(divmod, 7, 0)


async def test_the_error_of_cancelled_work_is_not_lost_noise(caplog: pytest.LogCaptureFixture) -> None:
    may_end = threading.Event()

    def fail() -> None:
        may_end.wait()
        raise ZeroDivisionError

    task = asyncio.create_task(run_blocking(fail))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0)
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert caplog.records == []
