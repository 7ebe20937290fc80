"""The same frames to our server and to that of the npm package `graphql-ws`: the answers must be the same."""

import asyncio
import json
import random
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import strawberry
import websockets
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from domain.errors import NotSignedInError
from graphql_api.context import AppState, Context
from graphql_api.execution.schema import ApiSchema
from graphql_api.fields import field, mutation, subscription
from graphql_api.http.endpoint import GraphQLEndpoint
from settings import Settings
from tests.clients.node import NodeClients, node_clients  # noqa: F401
from tests.graphql_api.serving import served

INIT = {"type": "connection_init"}
NOTES: set[str] = set()
"""What the slow mutation has done."""


@strawberry.type
class Query:
    @field("Greets.")
    def hello(self, name: str | None = "you") -> str:
        return f"hello {name}"

    @field("Fails.")
    def fails(self) -> str | None:
        raise RuntimeError("boom")


@strawberry.type
class Mutation:
    @mutation("Takes a while.", signed_in=False)
    async def take_long(self) -> int:
        NOTES.add("begun")
        await asyncio.sleep(0.3)
        NOTES.add("finished")
        return 1

    @mutation("Doubles.", signed_in=False)
    async def double(self, number: int) -> int:
        return 2 * number


@strawberry.type
class Subscription:
    @subscription("Counts to two.", signed_in=False)
    async def two(self) -> AsyncIterator[int]:
        yield 1
        yield 2

    @subscription("One event, and never another.", signed_in=False)
    async def endless(self) -> AsyncIterator[int]:
        yield 0
        await asyncio.Event().wait()

    @subscription("Fails after one event.", signed_in=False)
    async def breaks(self) -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("boom")


def _our_app(folder: Path, connection_init_seconds: float) -> Starlette:
    unused: Any = None
    state = AppState(
        Settings(data_dir=folder), secret=b"s", storage=unused, redis=unused, progress_hub=unused
    )
    endpoint = GraphQLEndpoint(
        ApiSchema(query=Query, mutation=Mutation, subscription=Subscription),
        lambda: state,
        graphiql_page=folder / "none.html",
        connection_init_seconds=connection_init_seconds,
    )
    app = Starlette(routes=[WebSocketRoute("/graphql", endpoint)])
    app.state.settings = state.settings
    return app


@pytest.fixture
def signed_out(monkeypatch):
    """The token `bad` is refused, after a moment, as the reference does."""

    async def viewer(self: Context) -> None:
        await asyncio.sleep(0.02)
        if (self.connection_params or {}).get("token") == "bad":
            raise NotSignedInError

    monkeypatch.setattr(Context, "viewer", viewer)


@pytest.fixture
async def servers(tmp_path, node_clients: NodeClients, signed_out):  # noqa: F811
    """Their addresses: ours first."""

    @asynccontextmanager
    async def both(init_seconds: float = 30.0) -> AsyncIterator[tuple[str, str]]:
        milliseconds = str(int(init_seconds * 1000))
        async with (
            served(_our_app(tmp_path, init_seconds)) as ours,
            node_clients.start("reference_socket_server.mjs", milliseconds, url="unused") as reference,
        ):
            port = (await reference.next(60))["port"]
            yield ours, f"ws://127.0.0.1:{port}/graphql"

    return both


class Conversation:
    """Sends frames one after the other, each when all that follows from the last has come."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self._connection = connection
        self._markers = 0
        self._open: dict[str, bool] = {}
        """Operations that have not ended: whether they are endless."""
        self.frames: dict[str, list[Any]] = defaultdict(list)
        """What came, by operation; what belongs to none under an empty name."""

    async def say(self, frame: Any) -> None:
        """Send a frame and take what follows."""
        await self._connection.send(frame if isinstance(frame, (str, bytes)) else json.dumps(frame))
        self._note(frame)
        self._markers += 1
        marker = {"marker": self._markers}
        await self._connection.send(json.dumps({"type": "ping", "payload": marker}))
        is_marked = False
        while not is_marked or any(not self._has_come(name) for name in self._open):
            answer = json.loads(await self._connection.recv())
            if answer.get("payload") == marker:
                is_marked = True
            else:
                self._take(answer)

    def _note(self, frame: Any) -> None:
        if isinstance(frame, dict) and frame["type"] == "connection_init":
            self._open[""] = False
        elif isinstance(frame, dict) and frame["type"] == "subscribe":
            self.frames[frame["id"]].append("—")
            self._open[frame["id"]] = "endless" in frame["payload"]["query"]
        elif isinstance(frame, dict) and frame["type"] == "complete":
            self._open.pop(frame["id"], None)

    def _has_come(self, name: str) -> bool:
        return self._open[name] and self.frames[name][-1] != "—"

    def _take(self, answer: dict[str, Any]) -> None:
        name = answer.get("id", "")
        self.frames[name].append(_comparable(answer))
        if answer["type"] in ("complete", "error", "connection_ack"):
            self._open.pop(name, None)


UNCLEAR = "Unable to identify operation"


def _comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what may differ: how we hide faults, codes in `extensions`, and words of other versions."""
    payload = answer.get("payload")
    errors = payload if answer["type"] == "error" else (payload or {}).get("errors", ())
    for error in errors:
        error.pop("extensions", None)
        message = error["message"].replace("Internal error", "boom").replace('"', "'")
        # The reference does not say why; graphql-js itself does, in these words.
        message = re.sub(r"^(Unknown operation named|Must provide operation name) .*", UNCLEAR, message)
        error["message"] = re.sub(r"^(Variable '\$\w+' ).*(value|provided)\b.*", r"\1is wrong", message)
    return answer


async def _converse(
    url: str, frames: list[Any], subprotocols: Any = ("graphql-transport-ws",)
) -> tuple[dict[str, list[Any]], int | None, str]:
    """What came, and how the socket was closed: None if it was not."""
    async with websockets.connect(url, subprotocols=subprotocols, max_queue=None) as connection:
        conversation = Conversation(connection)
        try:
            async with asyncio.timeout(60):
                for frame in frames:
                    await conversation.say(frame)
        except websockets.ConnectionClosed:
            return dict(conversation.frames), connection.close_code, connection.close_reason or ""
        return dict(conversation.frames), None, ""


def subscribe(query: str, id: str = "a", **payload: Any) -> dict[str, Any]:
    return {"type": "subscribe", "id": id, "payload": {"query": query, **payload}}


def complete(id: str = "a") -> dict[str, Any]:
    return {"type": "complete", "id": id}


HELLO = subscribe("{ hello }")
ENDLESS = subscribe("subscription { endless }")
MALFORMED: list[Any] = [
    "", "{", "1", "null", '"x"', "[]", "{}", "\ufeff{}", '{"type": 1}', '{"type": null}', '{"type": []}', '{"type": ""}',
    '{"type": "nothing"}', '{"type": "start"}', '{"type": "subscribe"}', '{"type": "complete"}',
    '{"type": "complete", "id": ""}', '{"type": "complete", "id": 1}', '{"type": "complete", "id": null}',
    '{"type": "ping", "payload": 1}', '{"type": "ping", "payload": "x"}', '{"type": "ping", "payload": []}',
    '{"type": "pong", "payload": true}', '{"type": "pong", "payload": []}',
    '{"type": "connection_init", "payload": 1}', '{"type": "connection_init", "payload": []}',
    '{"type": "next"}', '{"type": "error", "id": "a", "payload": [1]}',
    b"\x00\xff", b"",
    *(json.dumps({**HELLO, "id": id}) for id in ("", 1, None, [], {})),
    *(json.dumps({**HELLO, "payload": payload}) for payload in (None, 1, "x", [], {}, {"query": 1}, {"query": []})),
    *(json.dumps(subscribe("{ hello }", variables=value)) for value in (1, "x", [], True)),
    *(json.dumps(subscribe("{ hello }", extensions=value)) for value in (1, "x", [])),
    *(json.dumps(subscribe("{ hello }", operationName=value)) for value in (1, [], {})),
]  # fmt: skip

SCRIPTS: dict[str, list[Any]] = {
    "init": [INIT],
    "init with parameters": [{**INIT, "payload": {"token": "good"}}],
    "init with null": [{**INIT, "payload": None}],
    "forbidden": [{**INIT, "payload": {"token": "bad"}}],
    "twice": [INIT, INIT],
    "unauthorized": [HELLO],
    "complete before init": [complete(), INIT],
    "ping": [{"type": "ping"}, {"type": "ping", "payload": {}}, {"type": "ping", "payload": None},
             {"type": "ping", "payload": {"a": [1, "ü", None]}}],
    "pong": [{"type": "pong"}, {"type": "pong", "payload": {"a": 1}}, INIT, HELLO],
    "query": [INIT, HELLO, HELLO],
    "names": [INIT, subscribe("{ hello }", "\u2028\"\\"), subscribe("{ hello }", "__proto__"), subscribe("{ hello }", " ")],
    "unknown members": [{**INIT, "more": 1}, {**HELLO, "more": 1}, subscribe("{ hello }", "b", more=[])],
    "variables": [INIT, subscribe("query($n: String) { hello(name: $n) }", variables={"n": "me"}),
                  subscribe("{ hello }", "b", variables=None, operationName=None, extensions=None),
                  subscribe("{ hello }", "c", variables={}, extensions={"x": 1})],
    "wrong variables": [INIT, subscribe("query($n: Int!) { double: hello }", variables={})],
    "missing variable": [INIT, subscribe("mutation($n: Int!) { double(number: $n) }", variables={})],
    "operation by name": [INIT, subscribe("query A { hello } query B { b: hello }", operationName="B")],
    "no such operation": [INIT, subscribe("query A { hello }", operationName="B"),
                          subscribe("query A { hello } query B { hello }"),
                          subscribe("{ hello }", operationName=""), subscribe("fragment F on Query { hello }")],
    "mutation": [INIT, subscribe("mutation { double(number: 4) }")],
    "validation": [INIT, subscribe("{ nothing }"), subscribe("subscription { nothing }"),
                   subscribe("{ hello { x } }"), subscribe("{ hello(nme: 1) }"), subscribe("subscription { two endless }")],
    "field error": [INIT, subscribe("{ fails hello }")],
    "subscription": [INIT, subscribe("subscription { two }"), subscribe("subscription { two }")],
    "broken": [INIT, subscribe("subscription { breaks }"), HELLO],
    "endless": [INIT, ENDLESS, complete(), ENDLESS, complete("b"), subscribe("{ hello }", "b")],
    "exists": [INIT, ENDLESS, HELLO],
    "exists with a long id": [INIT, subscribe("subscription { endless }", "x" * 60), subscribe("{ hello }", "x" * 60)],
    "malformed later": [INIT, ENDLESS, HELLO | {"id": "b"}, "{"],
}  # fmt: skip

IDS = ("a", "b", "c")
QUERIES = (
    "{ hello }", "{ hello fails }", "{ nothing }", "mutation { double(number: 2) }", "subscription { two }",
    "subscription { endless }", "subscription { breaks }", "query A { hello } query B { hello }",
)  # fmt: skip


def _random_script(seed: int) -> list[Any]:
    chance = random.Random(seed)
    frames: list[Any] = [INIT] if chance.random() < 0.95 else []
    for _ in range(chance.randint(3, 14)):
        match chance.choices(
            ("subscribe", "complete", "ping", "pong", "malformed", "init"), (12, 6, 2, 1, 0.5, 0.2)
        )[0]:
            case "subscribe":
                frames.append(subscribe(chance.choice(QUERIES), chance.choice(IDS)))
            case "complete":
                frames.append(complete(chance.choice(IDS)))
            case "malformed":
                frames.append(chance.choice(MALFORMED))
            case "init":
                frames.append(INIT)
            case kind:
                frames.append({"type": kind, "payload": chance.choice((None, {}, {"a": 1}))})
    return frames


async def _compare(ours: str, reference: str, name: object, frames: list[Any]) -> None:
    answered, expected = await asyncio.gather(_converse(ours, frames), _converse(reference, frames))
    assert answered[:2] == expected[:2], (name, frames)
    if answered[1] != 4400:
        assert answered[2] == expected[2], (name, "the reason")
    else:
        assert 0 < len(answered[2].encode()) <= 123


async def test_scripted_frames_are_answered_as_by_the_reference(servers):
    async with servers() as (ours, reference):
        for name, frames in SCRIPTS.items():
            await _compare(ours, reference, name, frames)


async def test_random_frames_are_answered_as_by_the_reference(servers):
    async with servers() as (ours, reference):
        for seed in range(60):
            await _compare(ours, reference, seed, _random_script(seed))


async def test_malformed_frames_are_answered_as_by_the_reference(servers):
    async with servers() as (ours, reference):
        for frame in MALFORMED:
            for frames in ([frame], [INIT, frame]):
                await _compare(ours, reference, frame, frames)


async def test_subprotocols_and_silence_are_answered_as_by_the_reference(servers):
    async with servers(init_seconds=0.3) as (ours, reference):
        for subprotocols in (None, ["graphql-ws"], ["other", "another"], ["other", "graphql-transport-ws"]):
            await _compare_silence(ours, reference, subprotocols)


async def _compare_silence(ours: str, reference: str, subprotocols: list[str] | None) -> None:
    endings = []
    for url in (ours, reference):
        async with websockets.connect(url, subprotocols=subprotocols) as connection, asyncio.timeout(60):
            await connection.wait_closed()
            endings.append((connection.subprotocol, connection.close_code, connection.close_reason))
    assert endings[0] == endings[1]


async def test_an_operation_before_the_acknowledgement_is_unauthorized(servers):
    async with servers() as urls:
        for url in urls:
            async with websockets.connect(url, subprotocols=["graphql-transport-ws"]) as connection:
                for frame in (INIT, HELLO):
                    await connection.send(json.dumps(frame))
                async with asyncio.timeout(60):
                    await connection.wait_closed()
                assert (connection.close_code, connection.close_reason) == (4401, "Unauthorized")


DIFFERENCES: list[tuple[str, list[Any], Any, Any]] = [
    (
        "a syntax error ends its operation, not the socket",
        [INIT, subscribe("{")],
        ("error", None),
        (None, 4500),
    ),
    ("only servers send this", ['{"type": "connection_ack"}'], (None, 4400), (None, 4500)),
    ("a binary frame is no JSON text", [json.dumps(INIT).encode()], (None, 4400), (None, None)),
    ("half a surrogate pair", ['{"type": "ping", "payload": {"a": "\\ud800"}}'], (None, 4400), (None, None)),
]


async def test_where_the_reference_is_not_followed(servers):
    """By the protocol's own text, or because of what databases store. Should this fail, `graphql-ws` has changed."""
    async with servers() as (ours, reference):
        for name, frames, our_end, their_end in DIFFERENCES:
            for url, expected in ((ours, our_end), (reference, their_end)):
                try:
                    async with asyncio.timeout(2):
                        came, code, _ = await _converse(url, frames)
                except TimeoutError:
                    came, code = {}, None
                last = came.get("a", [None])[-1]
                assert (last["type"] if isinstance(last, dict) else None, code) == expected, (name, url)


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_mutation_that_has_begun_is_finished(tmp_path, signed_out, leaves):
    NOTES.clear()
    async with (
        served(_our_app(tmp_path, 30.0)) as url,
        websockets.connect(url, subprotocols=["graphql-transport-ws"]) as connection,
        asyncio.timeout(60),
    ):
        await connection.send(json.dumps(INIT))
        await connection.recv()
        await connection.send(json.dumps(subscribe("mutation { takeLong }")))
        await _until_noted("begun")
        if leaves:
            connection.transport.abort()
        else:
            await connection.send(json.dumps(complete()))
            await connection.send(json.dumps(HELLO))
            assert json.loads(await connection.recv())["payload"] == {"data": {"hello": "hello you"}}
        await _until_noted("finished")


async def _until_noted(note: str) -> None:
    while note not in NOTES:
        await asyncio.sleep(0.01)
