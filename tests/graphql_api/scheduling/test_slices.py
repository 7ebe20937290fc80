"""However much long work there is, a share of each turn of the event loop is all that it gets."""

import asyncio

from graphql_api.scheduling.slices import Slices

ONE_PIECE = 0.0
"""A share that one piece uses up."""


async def test_long_work_waits_for_the_next_turn_when_the_share_is_used_up():
    slices = Slices(ONE_PIECE)
    done: list[int] = []

    async def long(number: int) -> None:
        for _ in range(5):
            await slices.next()
            done.append(number)

    work = [asyncio.create_task(long(number)) for number in range(20)]
    await asyncio.sleep(0)
    while len(done) < 100:
        before = len(done)
        await asyncio.sleep(0)
        # One in its turn, and one that comes after the share was dealt out again.
        assert len(done) - before <= 2
    await asyncio.gather(*work)
    assert len(slices) == 0
    # None of them had to wait for another to be done.
    assert set(done[:40]) == set(range(20))


async def test_what_is_short_goes_on_while_all_wait():
    slices = Slices(ONE_PIECE)
    done: list[str] = []

    async def long() -> None:
        for _ in range(50):
            await slices.next()
            done.append("long")

    async def short() -> None:
        for _ in range(6):
            await asyncio.sleep(0)
        done.append("short")

    work = [asyncio.create_task(long()) for _ in range(10)]
    await asyncio.sleep(0)
    await short()
    assert done.index("short") <= 8
    await asyncio.gather(*work)


async def test_a_share_that_lasts_is_used_in_one_turn():
    slices = Slices(600.0)
    for _ in range(100):
        await slices.next()
    assert len(slices) == 0


async def test_who_is_cancelled_is_forgotten_and_the_others_go_on():
    slices = Slices(ONE_PIECE)
    done: list[int] = []

    async def long(number: int) -> None:
        await slices.next()
        done.append(number)

    work = [asyncio.create_task(long(number)) for number in range(100)]
    await asyncio.sleep(0)
    assert len(slices) == 99
    for task in work[1:90]:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    assert sorted(done) == [0, *range(90, 100)]
    assert len(slices) == 0


async def test_those_who_were_woken_and_cancelled_leave_nobody_asleep():
    slices = Slices(ONE_PIECE)
    done: list[int] = []

    async def long(number: int) -> None:
        await slices.next()
        done.append(number)

    work = [asyncio.create_task(long(number)) for number in range(80)]
    for _ in range(40):
        await asyncio.sleep(0)
        for task in work[1:79]:
            task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    assert 79 in done


def test_a_loop_that_ended_leaves_nothing_stuck():
    slices = Slices(ONE_PIECE)

    async def leave() -> None:
        await slices.next()
        asyncio.get_running_loop().create_task(slices.next())
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    async def come() -> None:
        for _ in range(3):
            await slices.next()

    asyncio.run(come())
