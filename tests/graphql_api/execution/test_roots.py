"""Queries of one root field, whose resolver is called directly, against graphql-core."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import orjson
import pytest
import strawberry
from graphql import GraphQLError, parse
from graphql.execution import execute
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.execution import optimized_is_awaitable
from strawberry.permission import BasePermission
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.utils.await_maybe import await_maybe

from domain.errors import NotSignedInError
from graphql_api.execution import roots
from graphql_api.execution.documents import CheckedDocument
from graphql_api.execution.schema import MAX_COERCION_ERRORS
from graphql_api.scalars import SCALARS
from tests.graphql_api.execution.test_identical import Color, Garden, Leaf, Twig, UnpresentedSchema

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class IsAllowed(BasePermission):
    async def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
        return info.context.random.random() < 0.9

    def on_unauthorized(self) -> None:
        raise NotSignedInError


@strawberry.input
class Choice:
    colors: list[Color] | None = None
    number: int = 3


@strawberry.type
class Told(Twig):
    """What the resolver was told."""

    text: str


class Asked:
    """The context of one request; whatever is chosen in it is chosen again by the next one like it."""

    def __init__(self, seed: float) -> None:
        self.random = Random(seed)
        self.garden = Garden(self.random)

    def outcome(self, usual: Any) -> Any:
        choice = self.random.random()
        if choice < 0.1:
            raise self.random.choice(
                [
                    ValueError("it broke"),
                    GraphQLError("a graph's error", extensions={"a": 1}),
                    NotSignedInError("gone"),
                ]
            )
        strange = [None, ValueError("returned"), 7, object(), [usual], self.garden.later(usual), {}]
        return self.random.choice(strange) if choice < 0.3 else usual


@strawberry.type
class Query:
    @strawberry.field
    async def told(
        self,
        info: strawberry.Info,
        number: int = 1,
        word: str | None = None,
        colors: list[Color] | None = None,
        choice: Choice | None = None,
    ) -> Told:
        raw = info._raw_info
        text = (
            f"{number!r} {word!r} {colors!r} {choice!r} {raw.field_name} {raw.path.as_list()} "
            f"{len(raw.field_nodes)} {raw.return_type} {raw.parent_type} {sorted(raw.fragments)} "
            f"{raw.root_value!r} {raw.variable_values!r} {raw.operation.name and raw.operation.name.value} "
            f"{raw.schema is SCHEMA._schema} {raw.operation_extensions!r}"
        )
        return info.context.outcome(Told(name="told", length=number, text=text))

    @strawberry.field(permission_classes=[IsAllowed])
    async def leaf(self, info: strawberry.Info, place: int | None = 2) -> Leaf | None:
        await asyncio.sleep(0)
        return info.context.outcome(info.context.garden.leaf())

    @strawberry.field(permission_classes=[IsAllowed])
    async def must(self, info: strawberry.Info, place: int) -> Leaf:
        return info.context.outcome(info.context.garden.leaf())

    @strawberry.field
    def plain(self, info: strawberry.Info) -> Twig | None:
        return info.context.outcome(Twig(name="plain", length=1))


SCHEMA = UnpresentedSchema(query=Query, types=[Leaf, Twig], config=StrawberryConfig(scalar_map=SCALARS))
OUTCOMES: Counter[str] = Counter()

HEAD = (
    "($n: Int, $d: Int = 5, $m: Int! = 6, $w: String, $c: [Color!], $o: Choice, "
    "$yes: Boolean!, $no: Boolean = false)"
)
ARGUMENTS = {
    "told": [
        "", "(number: 4)", "(number: $m, word: $w)", "(word: null)", '(word: "x", colors: [RED, GREEN])',
        "(colors: $c)", "(colors: RED)", "(choice: $o)", "(choice: {colors: [RED], number: $m})",
        "(choice: {})", "(number: $d)", "(number: $m)",
    ],
    "leaf": ["", "(place: 1)", "(place: $n)", "(place: $d)", "(place: null)"],
    "must": ["(place: 1)", "(place: $m)", "(place: $d)"],
    "plain": [""],
}  # fmt: skip
BELOW = {
    "told": ["text", "length text name", "t: text __typename"],
    "leaf": ["number", "text words color key", "__typename maybeReal real big moment", "text shout", "later"],
    "must": ["number", "text number grid", "word word2: word", "later name"],
    "plain": ["name", "length"],
}
VARIABLES: dict[str, list[Any]] = {
    "n": [1, None, "one", 2**40], "d": [7, None, 1.5], "m": [8, None, True], "w": ["é", None, 3],
    "c": [["RED"], [], None, "GREEN", ["BLUE"], [None]], "no": [True, False, None],
    "o": [{"colors": ["RED"]}, {"number": 1}, {"numbre": 1}, None, {"number": None}], "other": [1],
}  # fmt: skip


def _query(random: Random) -> str:
    parts = [_root(random) for _ in range(random.choice([1, 1, 1, 1, 2, 3]))]
    if random.random() < 0.1:
        parts.append("__typename")
    in_fragment = parts.pop() if random.random() < 0.2 else ""
    fragment = f"fragment F on Query {{ {in_fragment} used: told @include(if: $yes) {{ name }} }}"
    return f"query {random.choice(['', 'Named'])}{HEAD} {{ {' '.join(parts)} ...F }} {fragment}"


def _root(random: Random) -> str:
    name = random.choice(list(ARGUMENTS))
    alias = random.choice(["", "", "a: ", "b: "])
    directive = random.choice(["", "", "", "@skip(if: $no)", "@include(if: true)", "@skip(if: true)"])
    arguments = random.choice(ARGUMENTS[name])
    twice = random.choice(["", "", f"{alias}{name}{arguments} {{ name }}"])
    return f"{alias}{name}{arguments} {directive} {{ {random.choice(BELOW[name])} }} {twice}"


def _variables(random: Random) -> dict[str, Any]:
    """Mostly right ones."""
    given: dict[str, Any] = {"yes": False if random.random() < 0.9 else random.choice([True, None])}
    for name, values in VARIABLES.items():
        if random.random() < 0.4:
            given[name] = values[0] if random.random() < 0.85 else random.choice(values)
    return given


def _answer(result: Any) -> bytes:
    errors = [error.formatted for error in result.errors] if result.errors else None
    return orjson.dumps({"data": result.data, "errors": errors})


async def _compare(query: str, variables: dict[str, Any], seed: float) -> None:
    stock = _answer(
        await await_maybe(
            execute(
                SCHEMA._schema,
                parse(query),
                root_value="root",
                context_value=Asked(seed),
                variable_values=variables,
                executor_class=StrawberryGraphQLCoreExecutionContext,
                is_awaitable=optimized_is_awaitable,
                max_coercion_errors=MAX_COERCION_ERRORS,
                operation_extensions={"of": "the request"},
            )
        )
    )
    ours = await SCHEMA.execute(
        query, variables, Asked(seed), "root", operation_extensions={"of": "the request"}
    )
    assert _answer(ours) == stock, (query, variables)
    OUTCOMES["with errors" if b'"errors":[' in stock else "without errors"] += 1


@given(seed=st.integers(0, 2**64 - 1))
@settings(max_examples=250, deadline=None, derandomize=True)
def test_any_root_fields_have_the_answer_of_graphql_core(seed):
    random = Random(seed)
    query = _unused_removed(_query(random))
    if not isinstance(SCHEMA.documents.get(query), CheckedDocument):
        OUTCOMES["refused"] += 1
        return

    async def compare() -> None:
        for _ in range(8):
            await _compare(query, _variables(random), random.random())

    asyncio.run(compare())


def _unused_removed(query: str) -> str:
    """The query without the variables that it declares but does not use."""
    head, body = query.split(")", 1)
    start, declared = head.split("(")
    kept = [one for one in declared.split(", ") if one.split(":")[0] in body]
    return f"{start}({', '.join(kept)}){body}"


def test_each_way_was_tried(monkeypatch):
    tried: Counter[str] = Counter()
    run, take, give = roots.RootPlan.execute, roots._raising, roots._giving

    def counting(name: str, function: Any) -> Any:
        def counted(*arguments: Any, **options: Any) -> Any:
            tried[name] += 1
            return function(*arguments, **options)

        return counted

    monkeypatch.setattr(roots.RootPlan, "execute", counting("direct", run))
    monkeypatch.setattr(roots, "_raising", counting("raised", take))
    monkeypatch.setattr(roots, "_giving", counting("strange", give))
    test_any_root_fields_have_the_answer_of_graphql_core()
    assert tried["direct"] > 200, tried
    assert min(tried["raised"], tried["strange"]) > 20, tried
    assert min(OUTCOMES["with errors"], OUTCOMES["without errors"]) > 100, OUTCOMES
    assert OUTCOMES["refused"] < 250, OUTCOMES
