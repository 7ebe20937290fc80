"""The fast path against graphql-core: the same bytes, whatever is asked and whatever is wrong with the data."""

import asyncio
import math
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, StrEnum
from random import Random
from typing import Annotated, Any, Union

import orjson
import pytest
import strawberry
from graphql import parse
from graphql.execution import execute
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.utils.await_maybe import await_maybe

from graphql_api.execution import executor
from graphql_api.execution.documents import CheckedDocument
from graphql_api.execution.schema import ApiSchema, AskedOperation
from graphql_api.scalars import SCALARS, BigInt
from graphql_api.scheduling.slices import Slices
from tests.graphql_api.execution.queries import QueryMaker

# graphql-core lets go of awaitables next to an error that it has not begun to await.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@strawberry.enum
class Color(Enum):
    RED = 1
    GREEN = 2


@strawberry.enum
class Word(StrEnum):
    YES = "y"
    NO = "n"


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Leaf(Named):
    text: str | None
    number: int
    maybe_number: int | None
    real: float
    maybe_real: float | None
    flag: bool | None
    key: strawberry.ID
    color: Color | None
    word: Word
    big: BigInt
    moment: datetime | None
    words: list[str]
    holes: list[str | None] | None
    grid: list[list[int]] | None

    @strawberry.field
    def shout(self) -> str:
        return str(self.text).upper()

    @strawberry.field
    async def later(self) -> int:
        await asyncio.sleep(0)
        return self.number


@strawberry.type
class Twig(Named):
    length: int | None


Either = Annotated[Union[Leaf, Twig], strawberry.union("Either")]  # noqa: UP007


@strawberry.type
class Branch:
    leaf: Leaf | None
    must: Leaf
    leaves: list[Leaf]
    gaps: list[Leaf | None] | None
    named: Named | None
    either: list[Either] | None
    twig: Twig | None

    @strawberry.field
    async def slow(self) -> Leaf | None:
        await asyncio.sleep(0)
        return self.leaf

    @strawberry.field
    def broken(self) -> str | None:
        raise ValueError("it is broken")


@strawberry.type
class Query:
    @strawberry.field
    async def branches(self, info: strawberry.Info) -> list[Branch | None] | None:
        return info.context

    @strawberry.field
    def branch(self, info: strawberry.Info) -> Branch:
        return info.context[0]


class UnpresentedSchema(ApiSchema):
    """Leaves errors as graphql-core makes them, to be compared."""

    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        pass


SCHEMA = UnpresentedSchema(query=Query, types=[Leaf, Twig], config=StrawberryConfig(scalar_map=SCALARS))
OUTCOMES: Counter[str] = Counter()

USUAL: dict[str, list[Any]] = {
    "text": ["a", "", "é", None],
    "number": [0, 1, -5, 2**31 - 1],
    "real": [0.5, -1.0, 1e300],
    "flag": [True, False, None],
    "color": [Color.RED, Color.GREEN, None],
    "word": [Word.YES, Word.NO],
    "big": [1, 2**53 - 1, 2**53, -(2**60)],
    "moment": [
        datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    ],
    "words": [[], ["a", "b"], ("c",)],
    "holes": [None, [None, "a"], []],
    "grid": [None, [], [[1, 2], []], ((3,),)],
}
STRANGE = [
    None, ValueError("a value that is an error"), "text", 7, True, 1.5, math.inf, math.nan, 2**31, -(2**31) - 1, 10**30,
    Word.YES, Color.RED, "y", 1, [], [None], [1, "a"], {}, object, b"x", [ValueError("in a list")],
    "an iterator",
]  # fmt: skip


class Attribute:
    """An attribute that fails when it is read."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        raise RuntimeError("cannot be read")


class Failing(Leaf):
    """A leaf of which some attributes cannot be read."""

    number = Attribute()  # type: ignore[assignment]
    text = Attribute()  # type: ignore[assignment]

    def __init__(self) -> None:
        self.name = "failing"


class Garden:
    """Makes objects, some of which have something wrong."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._strangeness = random.choice([0, 0, 0.02, 0.1])

    def _pick(self, usual: list[Any]) -> Any:
        value = self._random.choice(STRANGE if self._random.random() < self._strangeness else usual)
        return iter(["once"]) if value == "an iterator" else value

    def leaf(self) -> Any:
        if self._random.random() < self._strangeness / 2:
            return Failing()
        pick = self._pick
        return Leaf(
            name=pick(["n", "m"]), text=pick(USUAL["text"]), number=pick(USUAL["number"]),
            maybe_number=pick([*USUAL["number"], None]), real=pick(USUAL["real"]),
            maybe_real=pick([*USUAL["real"], None]), flag=pick(USUAL["flag"]), key=pick(["k", 5, "ü"]),
            color=pick(USUAL["color"]), word=pick(USUAL["word"]), big=pick(USUAL["big"]),
            moment=pick(USUAL["moment"]), words=pick(USUAL["words"]), holes=pick(USUAL["holes"]),
            grid=pick(USUAL["grid"]),
        )  # fmt: skip

    def _object(self, *makers: Any, nullable: bool = True) -> Any:
        if nullable and self._random.random() < 0.15:
            return None
        if self._random.random() < self._strangeness:
            return self._random.choice([*STRANGE, self.twig(), self.later(self.leaf())])
        return self._random.choice(makers)()

    def later(self, value: Any) -> Any:
        class Later:
            def __await__(self) -> Any:
                yield from asyncio.sleep(0).__await__()
                return value

        return Later()

    def twig(self) -> Twig:
        return Twig(name=self._pick(["t"]), length=self._pick([3, None]))

    def branch(self) -> Branch:
        def several(*makers: Any, nullable: bool) -> list[Any]:
            return [self._object(*makers, nullable=nullable) for _ in range(self._random.randint(0, 4))]

        return Branch(
            leaf=self._object(self.leaf), must=self._object(self.leaf, nullable=False),
            leaves=several(self.leaf, nullable=False), gaps=several(self.leaf, nullable=True),
            named=self._object(self.leaf, self.twig), either=several(self.leaf, self.twig, nullable=False),
            twig=self._object(self.twig),
        )  # fmt: skip


def _answer(result: Any) -> bytes:
    errors = [error.formatted for error in result.errors] if result.errors else None
    return orjson.dumps({"data": result.data, "errors": errors})


async def _both(
    schema: ApiSchema, query: str, context: Any, variables: dict[str, Any]
) -> tuple[bytes, bytes]:
    """The answer of graphql-core, and ours to a query that was asked before."""
    stock = await await_maybe(
        execute(
            schema._schema,
            parse(query),
            context_value=context() if callable(context) else context,
            variable_values=variables,
            executor_class=StrawberryGraphQLCoreExecutionContext,
            is_awaitable=optimized_is_awaitable,
            operation_extensions=None,
        )
    )
    for _ in range(3):
        ours = await schema.execute(query, variables, context() if callable(context) else context)
    return _answer(stock), _answer(ours)


@given(seed=st.integers(0, 2**64 - 1))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_query_on_any_data_has_the_answer_of_graphql_core(seed):
    random = Random(seed)
    query = QueryMaker(SCHEMA._schema, random).make(["branches", "branch"])
    if not isinstance(SCHEMA.documents.get(query), CheckedDocument):
        OUTCOMES["refused"] += 1
        return
    data_seed = random.random()

    def branches() -> list[Branch]:
        # Anew for each execution: some of what is in them can be read only once.
        garden = Garden(Random(data_seed))
        return [garden.branch() for _ in range(3)]

    async def compare() -> None:
        for yes, no in ((True, False), (False, True)):
            stock, ours = await _both(SCHEMA, query, branches, {"yes": yes, "no": no})
            assert ours == stock, query
            OUTCOMES["with errors" if b'"errors":[' in stock else "without errors"] += 1

    asyncio.run(compare())


@given(seed=st.integers(0, 2**64 - 1))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_in_slices_the_data_is_the_same(seed):
    """Which of two errors is told that both make the same field null may depend on who is done first."""
    random = Random(seed)
    query = QueryMaker(SCHEMA._schema, random).make(["branches", "branch"])
    if not isinstance(SCHEMA.documents.get(query), CheckedDocument):
        return
    data_seed, variables = random.random(), {"yes": True, "no": False}

    def branches() -> list[Branch]:
        garden = Garden(Random(data_seed))
        return [garden.branch() for _ in range(3)]

    async def compare() -> None:
        stock, _ = await _both(SCHEMA, query, branches, variables)
        for checked in (CheckedDocument(parse(query)), SCHEMA.documents.get(query)):
            slices = Slices(0.0)
            operation = AskedOperation(query, checked, None, variables, branches(), None, None, slices)
            result = await SCHEMA._executed(operation)
            expected = orjson.loads(stock)
            assert orjson.loads(orjson.dumps(result.data)) == expected["data"], query
            assert bool(result.errors) == bool(expected["errors"]), query
            assert not len(slices)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "_LONG_LIST", 1)
        asyncio.run(compare())


def test_both_what_is_plain_and_what_is_not_was_tried(monkeypatch):
    tried: Counter[str] = Counter()
    build = executor.CompilingExecutor._built

    def counting(*arguments: Any) -> Any:
        built = build(*arguments)
        tried["given up" if built is None else "built"] += 1
        return built

    monkeypatch.setattr(executor.CompilingExecutor, "_built", counting)
    test_any_query_on_any_data_has_the_answer_of_graphql_core()
    assert min(tried["built"], tried["given up"]) > 100, tried
    assert min(OUTCOMES["with errors"], OUTCOMES["without errors"]) > 20, OUTCOMES
    assert OUTCOMES["refused"] < 100, OUTCOMES
