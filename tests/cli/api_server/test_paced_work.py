"""Long work that keeps to its share of the event loop's time."""

import asyncio
import time
from collections.abc import Callable

import pytest

from cli.api_server.paced_work import PacedWork

PIECE_SECONDS = 0.001


class Machine:
    """Work that takes a millisecond of its own clock, and notes when it was done."""

    def __init__(
        self, share: float, saved_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.cpu_seconds = 0.0
        self.done: list[str] = []
        self.paced = PacedWork(share, saved_seconds, lambda: self.cpu_seconds, clock)

    def piece(self, name: str) -> Callable[[], None]:
        def work() -> None:
            self.cpu_seconds += PIECE_SECONDS
            self.done.append(name)

        return work

    async def has_done(self, count: int) -> None:
        while len(self.done) < count:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("share", [0.2, 1.0])
@pytest.mark.parametrize("idle_seconds", [0.0, 1.0, 1000.0])
async def test_what_was_saved_up_is_used_at_once(share: float, idle_seconds: float):
    """However long there was nothing to do."""
    now = 5.0
    machine = Machine(share, 2.5 * PIECE_SECONDS, clock=lambda: now)
    machine.paced.take(machine.piece("0"))
    now += idle_seconds
    for number in range(1, 6):
        machine.paced.take(machine.piece(str(number)))
    assert len(machine.done) == (3 if idle_seconds == 0 else 4)
    assert len(machine.paced) == 6 - len(machine.done)


async def test_the_rest_waits_and_takes_no_more_than_the_share():
    machine = Machine(share=0.1, saved_seconds=2.5 * PIECE_SECONDS)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(10):
        machine.paced.take(machine.piece(str(number)))
    await machine.has_done(10)
    # However slow the machine: it cannot have gone faster.
    assert loop.time() - began >= 6 * PIECE_SECONDS / 0.1
    assert machine.done == [str(number) for number in range(10)]


async def test_one_that_goes_on_lets_the_others_have_their_turn():
    machine = Machine(share=0.5, saved_seconds=PIECE_SECONDS / 2)

    def going_on(name: str, left: int) -> Callable[[], None]:
        def work() -> None:
            machine.piece(name)()
            if left:
                machine.paced.put_off(going_on(name, left - 1))

        return work

    machine.paced.put_off(going_on("a", 3))
    machine.paced.put_off(going_on("b", 3))
    await machine.has_done(8)
    assert "".join(machine.done) == "abababab"


async def test_one_that_fails_does_not_keep_the_others():
    machine = Machine(share=0.5, saved_seconds=PIECE_SECONDS / 2)
    errors: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, report: errors.append(report))

    def fail() -> None:
        raise ValueError("of the work")

    for work in (machine.piece("first"), fail, machine.piece("second")):
        machine.paced.take(work)
    await machine.has_done(2)
    assert [str(error["exception"]) for error in errors] == ["of the work"]


def test_what_was_left_in_a_loop_that_ended_does_not_keep_the_next():
    machine = Machine(share=0.5, saved_seconds=PIECE_SECONDS / 2)

    async def take(name: str) -> None:
        machine.paced.take(machine.piece(name))

    async def take_and_wait(name: str) -> None:
        await take(name)
        await machine.has_done(3)

    for name in ("at once", "left"):
        asyncio.run(take(name))
    asyncio.run(take_and_wait("next"))
    assert machine.done == ["at once", "left", "next"]
