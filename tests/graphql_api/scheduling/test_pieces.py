"""What the pieces of a long operation ask for is read together, and nobody waits for it who need not."""

import asyncio

import pytest
import strawberry

from graphql_api.execution import executor
from graphql_api.execution.schema import ApiSchema
from graphql_api.rules import QueryLimits
from graphql_api.scheduling.pieces import UNDER_WAY, Pieces
from graphql_api.scheduling.slices import Slices

ONE_PIECE = 0.0
"""A share that one piece uses up."""


class Reads:
    """What was read, statement by statement."""

    def __init__(self) -> None:
        self.all: list[list[int]] = []

    async def __call__(self, keys: list[int]) -> list[int | BaseException]:
        self.all.append(keys)
        await asyncio.sleep(0)
        return [ValueError(key) if key < 0 else key * 2 for key in keys]


@pytest.fixture
def pieces() -> Pieces:
    return Pieces(Slices(ONE_PIECE))


async def test_what_all_pieces_ask_for_is_read_by_one_statement(pieces):
    reads = Reads()

    async def piece(number: int) -> int:
        await pieces.next()
        return await pieces.loader("numbers", reads).load(number)

    found = await asyncio.gather(*[piece(number % 50) for number in range(60)])
    assert found == [number % 50 * 2 for number in range(60)]
    assert reads.all == [list(range(50))]


async def test_a_piece_that_waits_for_a_loader_holds_up_no_other(pieces):
    reads = [Reads(), Reads(), Reads()]

    async def piece(number: int) -> int:
        for place, one in enumerate(reads):
            await pieces.next()
            number = await pieces.loader(str(place), one).load(number)
        return number

    async with asyncio.timeout(60):
        assert await asyncio.gather(*map(piece, range(70))) == [number * 8 for number in range(70)]
    assert [len(one.all) for one in reads] == [1, 1, 1]


async def test_a_load_that_loads_comes_to_an_end(pieces):
    reads = Reads()

    async def nested(keys: list[int]) -> list[int]:
        await pieces.next()
        return await pieces.loader("inner", reads).load_many(keys)

    async with asyncio.timeout(60):
        assert await pieces.loader("outer", nested).load_many([1, 2]) == [2, 4]
    assert reads.all == [[1, 2]]


async def test_other_operations_are_not_waited_for(pieces):
    busy = Pieces(pieces._slices)
    goes_on = True

    async def work() -> None:
        while goes_on:
            await busy.next()

    work_of_others = asyncio.create_task(work())
    async with asyncio.timeout(60):
        assert await pieces.loader("numbers", Reads()).load(4) == 8
    goes_on = False
    await work_of_others


async def test_a_few_are_answered_in_a_turn(pieces):
    answered = 0

    async def ask(number: int) -> None:
        nonlocal answered
        await pieces.loader("numbers", Reads()).load(number)
        answered += 1

    tasks = [asyncio.create_task(ask(number)) for number in range(500)]
    while answered < 500:
        before = answered
        await asyncio.sleep(0)
        assert answered - before <= 32
    await asyncio.gather(*tasks)


async def test_each_gets_its_own_error_or_that_of_the_statement(pieces):
    loader = pieces.loader("numbers", Reads())
    good, bad = await asyncio.gather(loader.load(1), loader.load(-1), return_exceptions=True)
    assert good == 2
    assert isinstance(bad, ValueError)

    async def fail(keys: list[int]) -> list[int]:
        raise LookupError

    failing = pieces.loader("failing", fail)
    found = await asyncio.gather(failing.load(1), failing.load(2), return_exceptions=True)
    assert [type(error) for error in found] == [LookupError, LookupError]


async def test_an_answer_too_few_is_told_to_all(pieces):
    async def short(keys: list[int]) -> list[int]:
        return keys[1:]

    loader = pieces.loader("short", short)
    async with asyncio.timeout(60):
        found = await asyncio.gather(loader.load(1), loader.load(2), return_exceptions=True)
    assert all(isinstance(error, ValueError) for error in found)


async def test_what_was_cancelled_is_not_read_and_can_be_asked_for_again(pieces):
    reads = Reads()
    loader = pieces.loader("numbers", reads)
    tasks = [asyncio.ensure_future(loader.load(number)) for number in range(3)]
    tasks[1].cancel()
    assert await asyncio.gather(tasks[0], tasks[2]) == [0, 4]
    assert await loader.load(1) == 2
    assert reads.all == [[0, 2], [1]]


async def test_with_the_operation_its_reading_ends(pieces):
    stopped = asyncio.Event()

    async def forever(keys: list[int]) -> list[int]:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return keys

    asked = asyncio.ensure_future(pieces.loader("numbers", forever).load(1))
    for _ in range(20):
        await asyncio.sleep(0)
    pieces.end()
    await stopped.wait()
    async with asyncio.timeout(60):
        (error,) = await asyncio.gather(asked, return_exceptions=True)
    assert isinstance(error, asyncio.CancelledError)


@strawberry.type
class Item:
    number: int

    @strawberry.field
    async def double(self, info: strawberry.Info) -> int:
        pieces = UNDER_WAY.get()
        assert pieces is not None
        return await pieces.loader("double", info.context).load(self.number)

    @strawberry.field
    async def below(self) -> list["Item"]:
        return [Item(number=self.number * 100 + place) for place in range(20)]


@strawberry.type
class Query:
    @strawberry.field
    async def items(self) -> list[Item]:
        return [Item(number=number) for number in range(1, 31)]


async def test_a_level_of_a_heavy_query_takes_one_statement(monkeypatch):
    monkeypatch.setattr("graphql_api.execution.schema.HEAVY_COST", 0)
    monkeypatch.setattr(executor, "_LONG_LIST", 1)
    schema = ApiSchema(query=Query, limits=QueryLimits())
    schema.lane.slices._seconds = ONE_PIECE
    tops, below = range(1, 31), [number * 100 + place for number in range(1, 31) for place in range(20)]
    for query, asked in (
        ("{ items { below { number double } } }", below),
        ("{ items { double below { number double } } }", [*tops, *below]),
    ):
        reads = Reads()
        result = await schema.execute(query, context_value=reads)
        assert not result.errors
        assert result.data["items"][6]["below"][3] == {"number": 703, "double": 1406}
        # Those above are asked for while the lists below are made.
        assert len(reads.all) == 1
        assert sorted(reads.all[0]) == asked
    assert UNDER_WAY.get() is None
