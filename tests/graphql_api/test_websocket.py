"""GraphQL over WebSocket, and the end of a sign-in on an open socket, with a real server and client."""

import asyncio
import json

import pytest
import websockets

from domain.accounts import sessions
from domain.accounts.models import User
from domain.outages import database_outage
from graphql_api.websocket import session_watch
from settings import Settings
from tests.graphql_api.serving import SECRET, Api, make_app, opened, served

TICKS = "subscription { ticks }"


@pytest.fixture
def make_bare(tmp_path):
    """Makes an application that has no database."""

    def make(connection_init_seconds=5.0, **changes):
        settings = Settings(data_dir=tmp_path, **changes)
        return make_app(settings, tmp_path / "graphiql.html", connection_init_seconds=connection_init_seconds)

    return make


@pytest.fixture
def make(database, make_bare):
    """Makes an application."""
    return make_bare


async def _until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def _all(socket):
    """Every frame until the socket closes."""
    messages = []
    async with asyncio.timeout(60):
        try:
            while True:
                messages.append(await socket.receive())
        except websockets.ConnectionClosed:
            return messages


@pytest.mark.parametrize("name", ["Authorization", "authorization", "accessToken", "token"])
async def test_connection_parameters_sign_in(make, name):
    app = make()
    token = (await Api(app).sign_up())["accessToken"]
    async with served(app) as url, opened(url) as socket:
        await socket.init({name: f"Bearer {token}" if "uth" in name else token})
        await socket.subscribe("{ me { username } }")
        answer = await socket.receive()
        assert answer == {"type": "next", "id": "1", "payload": {"data": {"me": {"username": "alice"}}}}
        assert await socket.receive() == {"type": "complete", "id": "1"}
        await socket.subscribe(TICKS)
        assert [(await socket.receive())["payload"]["data"]["ticks"] for _ in range(3)] == [0, 1, 2]
        await socket.send({"type": "complete", "id": "1"})
        await _until(lambda: not app.state.running)


async def test_a_socket_without_a_token_sees_only_what_is_public(make):
    app = make()
    async with served(app) as url, opened(url) as socket:
        await socket.init()
        await socket.subscribe(TICKS)
        refused = await socket.receive()
        assert (refused["type"], refused["payload"][0]["extensions"]) == (
            "error",
            {"code": "UNAUTHENTICATED"},
        )
        await socket.subscribe("subscription { two }")
        events = [await socket.receive() for _ in range(3)]
        assert [event["type"] for event in events] == ["next", "next", "complete"]
        assert app.state.running == []


@pytest.mark.parametrize(
    "payload", [{"Authorization": "Bearer bad"}, {"token": "x"}, {"Authorization": 5}, {"token": ["x"]}]
)
async def test_a_bad_token_closes_the_socket(make_bare, payload):
    async with served(make_bare()) as url, opened(url) as socket:
        await socket.send({"type": "connection_init", "payload": payload})
        assert await socket.closed() == (4403, "Forbidden")


async def test_a_token_that_expires_ends_its_subscriptions(make):
    app = make(access_token_seconds=2)
    token = (await Api(app).sign_up())["accessToken"]
    async with served(app) as url, opened(url) as socket:
        await socket.init({"token": token})
        await socket.subscribe(TICKS, "a")
        await socket.subscribe("subscription { ticks(seconds: 60) }", "b")
        last = {}
        for message in await _all(socket):
            assert last.get(message["id"], {}).get("type") != "error", "a frame after the error"
            last[message["id"]] = message
        for operation_id in ("a", "b"):
            assert last[operation_id] == {
                "type": "error",
                "id": operation_id,
                "payload": [
                    {"message": "The access token has expired.", "extensions": {"code": "UNAUTHENTICATED"}}
                ],
            }
        assert await socket.closed() == (4403, "The access token has expired.")
        await _until(lambda: not app.state.running)


async def test_a_session_that_ends_ends_its_sockets_and_no_other(make):
    app = make()
    api = Api(app)
    alice, bob = await api.sign_up("alice"), await api.sign_up("bob")
    async with served(app) as url, opened(url) as first, opened(url) as second, opened(url) as other:
        for socket, session in ((first, alice), (second, alice), (other, bob)):
            await socket.init({"token": session["accessToken"]})
            await socket.subscribe(TICKS)
            assert (await socket.receive())["type"] == "next"
        await sessions.sign_out(alice["refreshToken"])
        for socket in (first, second):
            assert (await _all(socket))[-1]["payload"][0]["message"] == "The session has ended."
            assert (await socket.closed())[0] == 4403
        await _until(lambda: len(app.state.running) == 1)
        assert [(await other.receive())["type"] for _ in range(5)] == ["next"] * 5
    watch = app.state.endpoint.sockets.session_watch
    await _until(lambda: not watch._sockets)
    assert watch._task is None


async def test_a_deleted_user_loses_their_sockets(make):
    app = make()
    session = await Api(app).sign_up()
    async with served(app) as url, opened(url) as socket:
        await socket.init({"token": session["accessToken"]})
        viewer = await sessions.authenticate(session["accessToken"], SECRET)
        await User.filter(id=viewer.user.id).delete()
        assert await socket.closed() == (4403, "The session has ended.")


async def test_sessions_are_checked_again_after_the_database_failed(make, monkeypatch, caplog):
    app = make()
    session = await Api(app).sign_up()
    ended, failures = session_watch.ended_sessions, []

    async def fails_twice(session_ids):
        if len(failures) < 2:
            failures.append(1)
            raise ConnectionError("database is away")
        return await ended(session_ids)

    monkeypatch.setattr(session_watch, "ended_sessions", fails_twice)
    monkeypatch.setattr(database_outage, "_began_at", None)
    async with served(app) as url, opened(url) as socket:
        await socket.init({"token": session["accessToken"]})
        await sessions.sign_out(session["refreshToken"])
        assert (await socket.closed())[0] == 4403
    assert "the sessions of open sockets are not checked" in caplog.text
    assert not database_outage.is_on


async def test_errors_on_a_socket_are_masked(make_bare, caplog):
    async with served(make_bare()) as url, opened(url) as socket:
        await socket.init()
        await socket.subscribe("subscription { broken }")
        assert (await socket.receive())["payload"]["data"] == {"broken": 1}
        failed = await socket.receive()
        await socket.subscribe("{ broken }", "2")
        while (asked := await socket.receive())["type"] != "next":
            pass
        assert (failed["type"], asked["type"]) == ("error", "next")
        for message, errors in ((failed, failed["payload"]), (asked, asked["payload"]["errors"])):
            (error,) = errors
            assert error["message"] == "Internal error"
            assert error["extensions"]["errorId"] in caplog.text
            assert "hunter2" not in json.dumps(message)


async def test_too_many_operations_on_one_socket(make):
    app = make(max_subscriptions_per_socket=3)
    token = (await Api(app).sign_up())["accessToken"]
    async with served(app) as url, opened(url) as socket:
        await socket.init({"token": token})
        for number in range(4):
            await socket.subscribe("subscription { ticks(seconds: 60) }", str(number))
        messages = [await socket.receive() for _ in range(4)]
        refused = next(message for message in messages if message["type"] == "error")
        assert refused["id"] == "3"
        assert refused["payload"][0]["extensions"] == {
            "code": "LIMIT_EXCEEDED", "limit": "max_subscriptions_per_socket",
        }  # fmt: skip
        await socket.send({"type": "complete", "id": "0"})
        await socket.subscribe("subscription { ticks(seconds: 60) }", "3")
        assert (await socket.receive()) == {"type": "next", "id": "3", "payload": {"data": {"ticks": 0}}}


SUBSCRIBE = {"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}}


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "1",
        "null",
        '"x"',
        "[]",
        "{}",
        b"\x00\xff",
        '{"type": 1}',
        '{"type": "nothing"}',
        '{"type": null}',
    ]
    + [json.dumps({**SUBSCRIBE, **change}) for change in ({"id": None}, {"id": 1}, {"id": ""}, {"id": []})]
    + [
        json.dumps({**SUBSCRIBE, "payload": payload})
        for payload in (None, 1, "x", [], {}, {"query": 1}, {"query": ""})
    ]
    + [
        json.dumps({**SUBSCRIBE, "payload": {"query": "{ a }", name: 1}})
        for name in ("variables", "operationName", "extensions")
    ]
    + [json.dumps({"type": "complete"}), json.dumps({"type": "complete", "id": []}), "[" * 5000]
    + [
        json.dumps({"type": "connection_init", "payload": 1}),
        '{"type": "subscribe", "id": "\\ud800", "payload": {}}',
    ]
    + [json.dumps({**SUBSCRIBE, "payload": {"query": "{ a }", "variables": {"a": "\0"}}}), " " * 11_000],
)
async def test_malformed_frames_close_the_socket_with_4400(make_bare, frame, caplog):
    async with served(make_bare(max_graphql_body_bytes=10_000)) as url, opened(url) as socket:
        await socket.init()
        await socket.send(frame)
        code, reason = await socket.closed()
        assert code == 4400
        assert reason
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


async def test_the_protocol_s_other_close_codes(make):
    app = make(connection_init_seconds=0.3)
    token = (await Api(app).sign_up())["accessToken"]
    async with served(app) as url:
        async with opened(url) as socket:
            await socket.send(SUBSCRIBE)
            assert (await socket.closed())[0] == 4401
        async with opened(url) as socket:
            await socket.init({"token": token})
            await socket.send({"type": "connection_init"})
            assert (await socket.closed())[0] == 4429
        async with opened(url) as socket:
            await socket.init({"token": token})
            await socket.subscribe(TICKS)
            await socket.subscribe(TICKS)
            await _all(socket)
            assert (await socket.closed())[0] == 4409
        async with opened(url) as socket:
            assert (await socket.closed())[0] == 4408
        async with opened(url, "graphql-ws") as socket:
            assert (await socket.closed())[0] == 4406
        async with opened(url) as socket:
            await socket.send({"type": "connection_init", "payload": None})
            assert await socket.receive() == {"type": "connection_ack"}
            await socket.send({"type": "ping"})
            assert await socket.receive() == {"type": "pong"}
    await _until(lambda: not app.state.running)


async def test_a_client_that_vanishes_leaves_nothing_behind(make, caplog):
    app = make()
    token = (await Api(app).sign_up())["accessToken"]
    async with served(app) as url:
        async with opened(url) as socket:
            await socket.init({"token": token})
            for number in range(5):
                await socket.subscribe("subscription { ticks(seconds: 0.001) }", str(number))
            await socket.receive()
            socket.connection.transport.abort()
        await _until(lambda: not app.state.running)
        await _until(lambda: not app.state.endpoint.sockets.session_watch._sockets)
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


async def test_a_wrong_document_is_an_error_frame(make_bare):
    async with served(make_bare()) as url, opened(url) as socket:
        await socket.init()
        await socket.subscribe("subscription { nothing }")
        refused = await socket.receive()
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "BAD_USER_INPUT")
