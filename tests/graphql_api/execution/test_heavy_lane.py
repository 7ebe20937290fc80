"""Heavy queries wait for each other, and light ones for next to nothing."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from itertools import pairwise
from types import SimpleNamespace

import pytest
import strawberry
from starlette.requests import ClientDisconnect, Request

from graphql_api.execution import documents, executor, heavy_lane
from graphql_api.execution.documents import CheckedDocument
from graphql_api.execution.schema import ApiSchema
from graphql_api.rules import QueryLimits, parse_query
from graphql_api.scheduling.slices import Slices

HEAVY = "{ " + " ".join(f"a{number}: pages {{ number }}" for number in range(60)) + " }"
"""Sixty pieces at least."""
LIGHT = "{ short }"


class Work:
    """What the resolvers do, in the order in which they do it."""

    def __init__(self) -> None:
        self.pieces = 0
        self.under_way: set[object] = set()
        self.most_under_way = 0
        self.opened = asyncio.Event()


@strawberry.type
class Page:
    number: int


@strawberry.type
class Query:
    @strawberry.field
    async def pages(self, info: strawberry.Info) -> list[Page]:
        work = info.context.work
        work.pieces += 1
        work.under_way.add(info.context)
        work.most_under_way = max(work.most_under_way, len(work.under_way))
        return [Page(number=number) for number in range(20)]

    @strawberry.field
    async def wait(self, info: strawberry.Info) -> list[Page]:
        info.context.work.pieces += 1
        await info.context.work.opened.wait()
        return []

    @strawberry.field
    async def short(self) -> str:
        return "short"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def change(self) -> list[Page]:
        return []


@pytest.fixture
def schema(monkeypatch: pytest.MonkeyPatch) -> ApiSchema:
    monkeypatch.setattr("graphql_api.execution.schema.HEAVY_COST", 10)
    monkeypatch.setattr(executor, "_LONG_LIST", 1_000)
    schema = ApiSchema(query=Query, mutation=Mutation, limits=QueryLimits())
    schema.lane.slices._seconds = 0.0
    for text in (HEAVY, LIGHT):
        for _ in range(2):
            schema.documents.get(text)
    return schema


class _Context:
    def __init__(self, work: Work) -> None:
        self.work = work


async def _ask(schema: ApiSchema, work: Work, query: str = HEAVY) -> object:
    context = _Context(work)
    result = await schema.execute(query, context_value=context)
    work.under_way.discard(context)
    assert not result.errors
    return result.data


async def test_a_light_query_waits_for_a_few_pieces_however_many_heavy_ones_there_are(schema):
    work = Work()
    heavy = [asyncio.create_task(_ask(schema, work)) for _ in range(8)]
    for _ in range(3):
        await asyncio.sleep(0)
    for _ in range(20):
        before = work.pieces
        assert await _ask(schema, work, LIGHT) == {"short": "short"}
        assert work.pieces - before <= 10
    assert not all(task.done() for task in heavy)
    await asyncio.gather(*heavy)
    assert work.pieces == 8 * 60


async def test_few_heavy_queries_are_under_way_at_once(schema):
    work = Work()
    await asyncio.gather(*[_ask(schema, work) for _ in range(8)])
    # Two, who take turns.
    assert work.most_under_way == 2
    assert len(schema.lane) == 0


async def test_what_is_cancelled_while_it_waits_is_never_executed(schema):
    work = Work()
    waits = "{ " + " ".join(f"a{number}: wait {{ number }}" for number in range(12)) + " }"
    inside = [asyncio.create_task(_ask(schema, work, waits)) for _ in range(2)]
    while work.pieces < 4:
        await asyncio.sleep(0)
    waiting = asyncio.create_task(_ask(schema, work))
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(schema.lane) == 1
    # Of the twelve fields of each, two are read at once.
    assert work.pieces == 4
    # Neither what is light nor a mutation waits with it.
    await _ask(schema, work, LIGHT)
    changes = "mutation { " + " ".join(f"a{number}: change {{ number }}" for number in range(12)) + " }"
    await _ask(schema, work, changes)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert len(schema.lane) == 0
    work.opened.set()
    await asyncio.gather(*inside)
    assert work.pieces == 24


async def test_who_has_gone_while_he_waited_is_not_answered():
    lane = heavy_lane.HeavyLane()
    scope = {"type": "http", "client": ("192.0.2.1", 1), "headers": []}

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    gone = SimpleNamespace(request=Request(scope, receive))
    entered: list[str] = []
    leave = asyncio.Event()

    async def come(name: str, context: object) -> None:
        async with lane.place(context):
            entered.append(name)
            await leave.wait()

    inside = [asyncio.create_task(come(f"inside {number}", None)) for number in range(2)]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(come("gone", gone))
    after = asyncio.create_task(come("after", None))
    for _ in range(3):
        await asyncio.sleep(0)
    leave.set()
    await asyncio.gather(*inside, after)
    with pytest.raises(ClientDisconnect):
        await waiting
    assert "gone" not in entered
    assert "after" in entered


async def test_a_long_list_is_made_in_slices_and_cancelled_leaves_nothing_behind(schema, monkeypatch):
    monkeypatch.setattr(executor, "_LONG_LIST", 10)
    turns = 0
    task = asyncio.create_task(_ask(schema, Work(), "{ pages { number } b: pages { number } }"))
    while not task.done():
        turns += 1
        await asyncio.sleep(0)
    assert [len(page) for page in task.result().values()] == [20, 20]
    assert turns > 40
    task = asyncio.create_task(_ask(schema, Work(), HEAVY))
    for _ in range(30):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert len(schema.lane.slices) == 0
    assert await _ask(schema, Work(), LIGHT) == {"short": "short"}


def _names(number: int, count: int) -> str:
    return "{ " + " ".join(f"a{number}x{field}: short" for field in range(count)) + " }"


async def test_callers_with_new_documents_take_turns(monkeypatch):
    checked: list[str] = []
    release = asyncio.Event()

    async def beside(work, source):
        await release.wait()
        checked.append(source[:3])
        return work(source)

    monkeypatch.setattr(documents, "beside_the_loop", beside)
    schema = ApiSchema(query=Query, limits=QueryLimits())
    sources = [f"#g{number}\n{_names(number, 40)}" for number in range(5)]
    tasks = [asyncio.create_task(schema.documents.fetch(source, lambda: "greedy")) for source in sources]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(schema.documents.fetch(f"#m\n{_names(9, 40)}", lambda: "modest")))
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*tasks)
    assert checked.index("#m\n") <= 2
    assert sorted(checked) == sorted([*(source[:3] for source in sources), "#m\n"])


async def test_short_new_documents_are_checked_in_slices():
    schema = ApiSchema(query=Query, limits=QueryLimits())
    schema.lane.slices._seconds = 0.0
    sources = [_names(number, 3) for number in range(20)]
    tasks = [asyncio.create_task(schema.documents.fetch(source)) for source in sources]
    await asyncio.sleep(0)
    counts = []
    while not all(task.done() for task in tasks):
        counts.append(len(schema.documents))
        await asyncio.sleep(0)
    assert max(later - earlier for earlier, later in pairwise(counts)) <= 2
    assert len(schema.documents) == 20


def test_the_weight_of_a_document_is_at_least_what_it_takes():
    """Where its tokens know each other no more, too, as those of a document that came by a request."""
    schema = ApiSchema(query=Query, limits=QueryLimits())
    schema.documents.get("{ short }")
    for count in (5, 95):
        sources = [_names(number, count) for number in range(20)]
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            kept = [schema._check(source) for source in sources]
            taken = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert all(isinstance(one, CheckedDocument) for one in kept)
        assert taken <= sum(one.size_bytes for one in kept) <= 6 * taken


def test_the_cache_holds_few_of_many_large_documents():
    cache = documents.DocumentCache(
        lambda source: CheckedDocument(parse_query(source, QueryLimits())), max_bytes=2 * 2**20
    )
    for number in range(60):
        cache.get(_names(number, 95))
    assert 2 <= len(cache) <= 10


async def test_a_large_body_is_decoded_in_slices():
    from graphql_api.http.requests import LARGE_BYTES, read_body

    class Counted(Slices):
        taken = 0

        async def next(self) -> None:
            self.taken += 1
            await super().next()

    async def taken(body: bytes) -> int:
        async def stream() -> AsyncIterator[bytes]:
            yield body

        slices = Counted()
        request = SimpleNamespace(headers={}, stream=stream)
        assert await read_body(request, 2**20, slices=slices) == {"a": "x" * (len(body) - 8)}
        return slices.taken

    assert await taken(b'{"a":"' + b"x" * 100 + b'"}') == 0
    assert await taken(b'{"a":"' + b"x" * LARGE_BYTES + b'"}') == 2
