"""A few at a time, each caller in turn, and nobody is left in the line."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from graphql_api.scheduling.fair_gate import FairGate

LONG_SECONDS = 600.0


async def _turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Visitors:
    """Come to a gate, and stay until they are told to leave."""

    def __init__(self, gate: FairGate) -> None:
        self._gate = gate
        self._leave: dict[str, asyncio.Event] = {}
        self.came_in: list[str] = []
        self.waited: dict[str, bool] = {}

    def come(self, name: str, caller: str = "") -> "asyncio.Task[None]":
        self._leave[name] = asyncio.Event()
        return asyncio.create_task(self._visit(name, caller or name))

    async def _visit(self, name: str, caller: str) -> None:
        async with self._gate.place(caller) as has_waited:
            self.came_in.append(name)
            self.waited[name] = has_waited
            await self._leave[name].wait()

    async def leave(self, name: str) -> None:
        self._leave[name].set()
        await _turns()


async def test_only_so_many_are_in_at_once():
    visitors = Visitors(FairGate(2, LONG_SECONDS))
    tasks = [visitors.come(name) for name in "abcd"]
    await _turns()
    assert visitors.came_in == ["a", "b"]
    await visitors.leave("b")
    assert visitors.came_in == ["a", "b", "c"]
    assert visitors.waited == {"a": False, "b": False, "c": True}
    for name in "acd":
        await visitors.leave(name)
    await asyncio.gather(*tasks)


async def test_callers_take_turns_however_much_one_of_them_wants():
    gate = FairGate(1, LONG_SECONDS)
    visitors = Visitors(gate)
    tasks = [visitors.come(f"greedy {number}", "greedy") for number in range(6)]
    tasks += [visitors.come("modest", "modest")]
    await _turns()
    assert len(gate) == 6
    for number in range(6):
        await visitors.leave(f"greedy {number}")
        if number == 1:
            # Behind the one that was in, and one of those who were there before.
            assert visitors.came_in == ["greedy 0", "greedy 1", "modest"]
            await visitors.leave("modest")
    await asyncio.gather(*tasks)
    assert visitors.came_in[3:] == [f"greedy {number}" for number in range(2, 6)]
    assert len(gate) == 0


async def test_who_is_cancelled_leaves_the_line():
    gate = FairGate(1, LONG_SECONDS)
    visitors = Visitors(gate)
    first, second, third = (visitors.come(name, "one") for name in "abc")
    await _turns()
    second.cancel()
    await _turns()
    assert len(gate) == 1
    await visitors.leave("a")
    assert visitors.came_in == ["a", "c"]
    await visitors.leave("c")
    await asyncio.gather(first, third)


async def test_who_is_cancelled_while_let_in_lets_the_next_one_in():
    gate = FairGate(1, LONG_SECONDS)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(gate.place("a"))
        visitors = Visitors(gate)
        second, third = visitors.come("b"), visitors.come("c")
        await _turns()
    # The place is b's now, but b has not had a turn yet.
    second.cancel()
    await _turns()
    assert visitors.came_in == ["c"]
    await visitors.leave("c")
    await third


async def test_who_is_cancelled_in_the_same_turn_is_passed_over():
    gate = FairGate(1, LONG_SECONDS)
    visitors = Visitors(gate)
    first, second, third = (visitors.come(name, "one") for name in "abc")
    await _turns()
    second.cancel()
    first.cancel()
    await _turns()
    assert visitors.came_in == ["a", "c"]
    await visitors.leave("c")
    await third
    assert len(gate) == 0


async def test_a_failure_inside_gives_the_place_back():
    gate = FairGate(1, LONG_SECONDS)
    with pytest.raises(ValueError, match="inside"):
        async with gate.place("a"):
            raise ValueError("inside")
    async with gate.place("b") as has_waited:
        assert not has_waited


async def test_who_stays_too_long_keeps_nobody_waiting():
    gate = FairGate(1, hold_seconds=0.0)
    visitors = Visitors(gate)
    tasks = [visitors.come(name) for name in "abc"]
    while len(visitors.came_in) < 3:
        await asyncio.sleep(0.001)
    for name in "abc":
        await visitors.leave(name)
    await asyncio.gather(*tasks)
    # Nobody who left gave back a place a second time.
    visitors = Visitors(gate := FairGate(1, LONG_SECONDS))
    tasks = [visitors.come(name) for name in "ab"]
    await _turns()
    assert visitors.came_in == ["a"]
    await visitors.leave("a")
    await visitors.leave("b")
    await asyncio.gather(*tasks)
