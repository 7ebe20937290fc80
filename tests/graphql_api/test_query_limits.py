"""The limits on documents, over every transport, with the whole schema."""

import asyncio
import gc
import json
import threading

import pytest
from graphql import get_introspection_query
from starlette.requests import Request

from domain.errors import LimitExceededError
from graphql_api.http.requests import MAX_VALUES, MalformedRequestError, decode_json, read_body, request_from
from settings import Settings
from tests.graphql_api.full_app import FullApp
from tests.graphql_api.serving import Api, make_app, opened, served

DEEP = "{" + "a {" * 20 + "a" + "}" * 21


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path)


@pytest.fixture
async def app(database, tmp_path):
    async with FullApp(tmp_path) as app:
        yield app


async def test_the_cost_is_told(app):
    response = await app.http.post("/graphql", json={"query": "{ mlModels { name } }"})
    assert response.json()["extensions"] == {"cost": {"requested": 11, "limit": 50_000}}
    query = "query($n: Int) { videos(first: $n) { edges { cursor } } }"
    person = await app.person()
    for size in (3, 7):
        answer = await person.execute(query, n=size)
        assert answer["extensions"]["cost"]["requested"] == 2 + size


async def test_the_limits_hold_for_post_and_get(app):
    nested = "{ videos(first: 100) { edges { node { analyses(first: 100) { edges { node "
    costly = nested + "{ id title: status progress createdAt priority } } } } } } }"
    person = await app.person()
    for document, limit in ((DEEP, "max_query_depth"), (costly, "max_query_cost")):
        for response in (
            await app.http.post("/graphql", json={"query": document}, headers=person.headers),
            await app.http.get("/graphql", params={"query": document}, headers=person.headers),
        ):
            (error,) = response.json()["errors"]
            assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit}
            assert f"(limit: {limit})" in error["message"]


async def test_the_limits_hold_for_sockets(settings, tmp_path):
    async with served(make_app(settings, tmp_path / "none.html")) as url, opened(url) as socket:
        await socket.init()
        for operation in ("query", "subscription"):
            await socket.subscribe(f"{operation} {DEEP}", operation)
            refused = await socket.receive()
            assert (refused["type"], refused["id"]) == ("error", operation)
            assert refused["payload"][0]["extensions"] == {
                "code": "LIMIT_EXCEEDED",
                "limit": "max_query_depth",
            }


async def test_the_introspection_passes(app):
    response = await app.http.post("/graphql", json={"query": get_introspection_query()})
    assert "errors" not in response.json()


async def test_graphiql_can_be_switched_off(tmp_path):
    page = tmp_path / "graphiql.html"
    page.write_text("<title>GraphiQL</title>")
    browser = {"Accept": "text/html"}
    on = await Api(make_app(Settings(data_dir=tmp_path), page)).http.get("/graphql", headers=browser)
    off = await Api(make_app(Settings(data_dir=tmp_path, graphiql=False), page)).http.get(
        "/graphql", headers=browser
    )
    assert "GraphiQL" in on.text
    assert "GraphiQL" not in off.text
    assert off.status_code == 200


@pytest.mark.parametrize(
    "variables",
    [
        {"a": [0] * (MAX_VALUES + 1)},
        {"a": [[0] * 100] * 101},
        {str(number): number for number in range(MAX_VALUES + 1)},
    ],
)
def test_variables_with_too_many_values_are_refused(variables):
    with pytest.raises(LimitExceededError) as refused:
        request_from({"query": "{ a }", "variables": variables})
    assert refused.value.limit == "max_variable_values"


def test_variables_with_as_many_values_as_allowed():
    assert request_from({"query": "{ a }", "variables": {"a": [0] * (MAX_VALUES - 1)}}).variables


def request_with(chunks, headers=()):
    async def receive():
        try:
            seconds, chunk = next(chunks)
        except StopIteration:
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.sleep(seconds)
        return {"type": "http.request", "body": chunk, "more_body": True}

    scope = {"type": "http", "method": "POST", "headers": [(b"x-a", b"b"), *headers]}
    return Request(scope, receive)


async def test_a_body_that_drips_ends_with_408():
    def drips():
        while True:
            yield 0.01, b" "

    with pytest.raises(MalformedRequestError) as refused:
        await read_body(request_with(drips()), 10_000, max_seconds=0.2)
    assert refused.value.status == 408


@pytest.mark.parametrize("length", ["10001", "1" * 18])
async def test_a_body_announced_as_too_large_is_not_read(length):
    def never():
        pytest.fail("the body was read")
        yield

    request = request_with(never(), [(b"content-length", length.encode())])
    with pytest.raises(LimitExceededError) as refused:
        await read_body(request, 10_000)
    assert refused.value.limit == "max_graphql_body_bytes"


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "1" * 19, "²"])
async def test_a_length_that_is_no_number_is_refused(length):
    request = request_with(iter([(0, b"{}")]), [(b"content-length", length.encode("utf-8"))])
    with pytest.raises(MalformedRequestError):
        await read_body(request, 10_000)


async def test_a_body_in_time_is_read():
    chunks = iter([(0, b'{"a"'), (0, b": 1}")])
    assert await read_body(request_with(chunks), 100, max_seconds=60) == {"a": 1}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/json; charset=iso-8859-1"}, 415),
        ({"Content-Type": 'application/json; charset="UTF-8"'}, 200),
        ({"Content-Type": "application/json; foo=bar"}, 200),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "identity"}, 200),
        ({"Content-Type": "application/graphql"}, 415),
        ({"Content-Type": "application/json", "Accept": "text/plain"}, 406),
        ({"Content-Type": "application/json", "Accept": "text/event-stream"}, 406),
        ({"Content-Type": "application/json", "Accept": "application/graphql-response+json;q=0"}, 406),
        ({"Content-Type": "application/json", "Accept": "text/event-stream, application/json;q=0.1"}, 200),
    ],
)
async def test_types_that_are_not_spoken(settings, tmp_path, headers, status):
    api = Api(make_app(settings, tmp_path / "none.html"))
    body = json.dumps({"query": "{ __typename }"}).encode()
    response = await api.http.post("/graphql", content=body, headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/")
    assert (status == 200) == ("data" in response.json())


async def test_what_is_not_spoken_is_not_executed(settings, tmp_path):
    api = Api(make_app(settings, tmp_path / "none.html"))
    refused = await api.http.get("/graphql", params={"query": "{ broken }"}, headers={"Accept": "image/png"})
    assert refused.status_code == 406
    assert refused.json()["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


async def test_answers_about_the_schema_are_made_in_a_thread_and_kept(app, monkeypatch):
    from graphql_api.execution import introspection

    threads = []
    execute = introspection.execute

    def noted(*arguments, **options):
        threads.append(threading.current_thread().name)
        return execute(*arguments, **options)

    monkeypatch.setattr(introspection, "execute", noted)
    query = "query A($name: String!) { __type(name: $name) { name fields { name } } }"
    for name in ("Video", "User", "Video"):
        response = await app.http.post("/graphql", json={"query": query, "variables": {"name": name}})
        assert response.json()["data"]["__type"]["name"] == name
        assert response.json()["extensions"]["cost"]["requested"] > 1
    assert len(threads) == 2
    assert all("documents" in name for name in threads)
    wrong = await app.http.post("/graphql", json={"query": query, "variables": {"name": 5}})
    assert wrong.json()["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


def test_the_collector_is_left_as_it_was():
    assert gc.isenabled()
    decode_json(b"[]")
    assert gc.isenabled()
    gc.disable()
    try:
        decode_json(b"[]")
        assert not gc.isenabled()
    finally:
        gc.enable()
