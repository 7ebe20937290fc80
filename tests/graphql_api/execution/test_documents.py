"""Documents are checked once, kept within bounds, and cannot be pushed out by others that are asked once."""

import gc

import pytest
import strawberry
from graphql import parse

from graphql_api import errors
from graphql_api.execution.documents import CheckedDocument, DocumentCache, Mistakes, condition_variables
from graphql_api.execution.schema import ApiSchema


class Checks:
    """Parses, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, source: str) -> CheckedDocument | Mistakes:
        self.asked.append(source)
        return Mistakes([]) if "bad" in source else CheckedDocument(parse(source))


def test_a_document_is_checked_once():
    checks = Checks()
    cache = DocumentCache(checks)
    first = cache.get("{ a }")
    assert cache.get("{ a }") is first
    assert cache.get("{ a }") is first
    assert checks.asked == ["{ a }"]


def test_mistakes_are_not_kept():
    checks = Checks()
    cache = DocumentCache(checks)
    for _ in range(2):
        assert isinstance(cache.get("{ bad }"), Mistakes)
    assert checks.asked == ["{ bad }"] * 2
    assert len(cache) == 0


def test_a_crowd_of_documents_asked_once_pushes_out_none_that_is_in_use():
    checks = Checks()
    cache = DocumentCache(checks, max_documents=20)
    used = [f"{{ used{number} }}" for number in range(5)]
    for source in used * 2:
        cache.get(source)
    for number in range(500):
        cache.get(f"{{ once{number} }}")
    assert len(cache) <= 20
    checks.asked.clear()
    for source in used:
        cache.get(source)
    assert checks.asked == []


def test_the_memory_is_bounded_and_what_is_too_large_is_not_kept():
    cache = DocumentCache(Checks(), max_bytes=1_000_000)
    for number in range(200):
        for _ in range(2):
            cache.get("{ " + " ".join(f"a{number}x{field}" for field in range(20)) + " }")
            assert cache.size_bytes <= 1_000_000
    kept = len(cache)
    assert 10 < kept < 200
    cache.get("{ " + "a " * 5_000 + "}")
    assert len(cache) == kept


def test_conditions_are_the_variables_of_skip_and_include():
    document = parse(
        "query($a: Boolean!, $b: Boolean!, $c: Int) { x @skip(if: $b) y(first: $c) ...F }"
        "fragment F on Query { z @include(if: $a) w @include(if: true) }"
    )
    assert condition_variables(document) == ("a", "b")


@strawberry.type
class Query:
    @strawberry.field
    def plain(self) -> str:
        return "plain"

    @strawberry.field
    def broken(self) -> str | None:
        raise ValueError("it is broken")


async def test_an_error_holds_no_frames():
    schema = ApiSchema(query=Query)
    result = await schema.execute("{ broken }")
    (error,) = result.errors
    assert error.__traceback__ is None
    assert error.original_error is None or error.original_error.__traceback__ is None


@pytest.mark.parametrize("query", ["{ plain }", "{ plain: broken }"])
async def test_a_request_leaves_no_cycles_behind(query, monkeypatch):
    monkeypatch.setattr(errors.logger, "disabled", True)
    schema = ApiSchema(query=Query)
    for _ in range(3):
        await schema.execute(query)
    gc.collect()
    gc.disable()
    try:
        for _ in range(200):
            await schema.execute(query)
        found = gc.collect()
    finally:
        gc.enable()
    assert found < 200, "the collector runs rarely in the API process"
