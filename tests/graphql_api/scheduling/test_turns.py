"""How much of what comes at once is done in one turn of the event loop."""

import asyncio
from contextvars import ContextVar

from graphql_api.scheduling.turns import Turns, in_slices


async def _turn() -> None:
    await asyncio.sleep(0)


async def test_a_little_is_done_at_once():
    done: list[int] = []
    turns = Turns(3)
    for number in range(3):
        turns.take(lambda number=number: done.append(number))
    assert done == [0, 1, 2]


async def test_the_rest_waits_for_the_next_turns_in_order():
    done: list[int] = []
    turns = Turns(3)
    for number in range(10):
        turns.take(lambda number=number: done.append(number))
    counts = []
    while turns:
        counts.append(len(done))
        await _turn()
    assert counts == [3, 6, 9]
    assert done == list(range(10))


async def test_what_comes_later_does_not_overtake_what_waits():
    done: list[int] = []
    turns = Turns(1)
    turns.take(lambda: done.append(0))
    turns.take(lambda: done.append(1))
    turns.take(lambda: done.append(2))
    await _turn()
    assert not turns.enter()
    turns.take(lambda: done.append(3))
    while turns:
        await _turn()
    assert done == [0, 1, 2, 3]


async def test_there_is_room_again_after_a_turn():
    turns = Turns(1)
    assert turns.enter()
    assert not turns.enter()
    await _turn()
    assert turns.enter()


async def test_what_is_put_off_is_not_done_in_this_turn():
    done: list[int] = []
    turns = Turns(5)

    def again() -> None:
        done.append(len(done))
        if len(done) < 4:
            turns.put_off(again)

    turns.put_off(again)
    for count in range(4):
        assert len(done) == count
        await _turn()
    assert done == [0, 1, 2, 3]


async def test_a_failure_stops_nobody_else():
    reports: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, report: reports.append(report["message"]))
    done: list[int] = []
    turns = Turns(5)
    turns.put_off(lambda: 1 / 0)
    turns.put_off(lambda: done.append(1))
    await _turn()
    assert (len(reports), done) == (1, [1])


async def test_work_is_done_in_the_context_it_came_from():
    name: ContextVar[str] = ContextVar("name", default="nobody")
    seen: list[str] = []
    turns = Turns(1)

    async def come(who: str) -> None:
        name.set(who)
        turns.take(lambda: seen.append(name.get()))

    await asyncio.gather(come("a"), come("b"), come("c"))
    while turns:
        await _turn()
    assert seen == ["a", "b", "c"]


def test_a_loop_that_ended_leaves_nothing_stuck():
    turns = Turns(1)
    done: list[int] = []

    async def leave() -> None:
        turns.put_off(lambda: done.append(1))

    async def come() -> None:
        turns.put_off(lambda: done.append(2))
        while turns:
            await _turn()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
    asyncio.run(come())
    assert done[-1] == 2


async def test_others_have_their_turn_between_slices():
    done: list[object] = []

    async def other() -> None:
        while len(done) < 9:
            done.append("other")
            await _turn()

    beside = asyncio.create_task(other())
    async for slice_ in in_slices(range(5), 2):
        done.append(slice_)
    assert done == [[0, 1], "other", [2, 3], "other", [4]]
    beside.cancel()


async def test_there_may_be_nothing_to_slice():
    assert [slice_ async for slice_ in in_slices([], 2)] == []
