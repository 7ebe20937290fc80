"""One event, many watchers: executed once, sent to all alike, and nobody waits for the slow ones."""

import asyncio
import gc
import json
import socket as sockets
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
import websockets
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from tortoise.transactions import in_transaction

from domain.accounts.deletion import begin_deletion
from domain.accounts.models import User
from domain.analyses.models import Analysis, AnalysisStatus
from domain.analyses.progress import take_snapshot
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.events import EventKind, record_event
from domain.videos.models import Video
from graphql_api.context import AppState
from graphql_api.http.endpoint import GraphQLEndpoint
from graphql_api.live import progress_hub
from graphql_api.live.event_hub import EventHub
from graphql_api.live.progress_hub import ProgressHub
from graphql_api.relay import find_uuid, global_id
from graphql_api.schema import make_schema
from graphql_api.websocket.execution import Renderer
from settings import Settings
from tests.graphql_api.serving import PASSWORD, SECRET, Api, Socket, opened, served

PROGRESS = "subscription($id: ID!) { analysisProgress(id: $id) { status framesDone } }"
MINE = "subscription { myAnalysesProgress { analysisId status framesDone } }"
EVENTS = "subscription($after: String) { events(after: $after) { number } }"


class World:
    """A server with one account that has one running analysis."""

    def __init__(self, tmp_path, **changes):
        self.hub = EventHub(poll_seconds=0.01)
        unused = None
        self.progress = ProgressHub(unused)
        state = AppState(
            settings=Settings(data_dir=tmp_path, **changes),
            secret=SECRET,
            storage=unused,
            redis=unused,
            progress_hub=self.progress,
            event_hub=self.hub,
        )
        self.endpoint = GraphQLEndpoint(make_schema(), lambda: state, graphiql_page=tmp_path / "none.html")
        routes = [Route("/graphql", self.endpoint), WebSocketRoute("/graphql", self.endpoint)]
        self.app = Starlette(routes=routes)

    async def sign_up(self, name="ada"):
        session = await Api(self.app).sign_up(name)
        self.token = session["accessToken"]
        self.owner_id = find_uuid(session["user"]["id"], "User")
        video = await Video.create(
            id=uuid4(), owner_id=self.owner_id, title="t", filename="t.mp4", size_bytes=1, sha256="0"
        )
        self.analysis = await create_analysis(self.owner_id, video, AnalysisSettings("m"))
        await self.store(0)
        self.variables = {"id": global_id("Analysis", self.analysis.id)}

    async def store(self, frames_done, status=AnalysisStatus.RUNNING):
        await Analysis.filter(id=self.analysis.id).update(
            status=status, frames_done=frames_done, frames_total=10**6
        )

    async def publish(self, frames_done, error_message=None):
        """As a worker does, without Redis."""
        snapshot = await take_snapshot(self.analysis.id)
        news = replace(
            snapshot, frames_done=frames_done, progress=frames_done / 10**4, error_message=error_message
        )
        self.progress._deliver(news.to_json())

    async def record(self, count=1, **facts):
        for _ in range(count):
            async with in_transaction() as connection:
                await record_event(connection, self.owner_id, EventKind.VIDEO_READY, **facts)

    @asynccontextmanager
    async def socket(self, url):
        async with opened(url) as socket:
            await socket.init({"token": self.token})
            yield socket


@pytest.fixture
async def make_world(database, tmp_path, monkeypatch):
    monkeypatch.setattr(progress_hub, "POLL_SECONDS", 60.0)
    worlds = []

    async def make(**changes):
        world = World(tmp_path, **changes)
        worlds.append(world)
        await world.sign_up()
        return world

    yield make
    for world in worlds:
        await world.hub.close()


@pytest.fixture
def rendered(monkeypatch):
    """Counts executions of events."""
    count = Counter()
    render = Renderer.render

    async def counted(self, value):
        count["all"] += 1
        return await render(self, value)

    monkeypatch.setattr(Renderer, "render", counted)
    return count


async def _subscribe(socket: Socket, query, operation_id="1", **variables):
    await socket.send(
        {"type": "subscribe", "id": operation_id, "payload": {"query": query, "variables": variables}}
    )


async def _next(socket: Socket, field):
    answer = await socket.receive()
    assert answer["type"] == "next", answer
    return answer["payload"]["data"][field]


async def _until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def test_progress_is_executed_once_for_all_who_asked_alike(make_world, rendered):
    world = await make_world()
    async with served(world.app) as url, AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(world.socket(url)) for _ in range(20)]
        for number, socket in enumerate(crowd):
            await _subscribe(socket, PROGRESS, f"id-{number}", **world.variables)
        for socket in crowd:
            assert (await _next(socket, "analysisProgress"))["framesDone"] == 0
        rendered.clear()
        await world.publish(7)
        for number, socket in enumerate(crowd):
            frame = await socket.receive()
            assert (frame["type"], frame["id"]) == ("next", f"id-{number}")
            assert frame["payload"]["data"] == {"analysisProgress": {"status": "RUNNING", "framesDone": 7}}
        assert rendered["all"] == 1
        assert len(world.endpoint.sockets.fan_out) == 1
    await _until(lambda: not len(world.endpoint.sockets.fan_out) and not world.progress._watchers)


async def test_events_are_executed_once_wherever_their_readers_began(make_world, rendered):
    world = await make_world()
    await world.record(5)
    async with served(world.app) as url, AsyncExitStack() as stack:
        newest = await _newest(world)
        crowd = [await stack.enter_async_context(world.socket(url)) for _ in range(6)]
        for after, socket in enumerate(crowd):
            await _subscribe(socket, EVENTS, after=str(newest - after))
            for number in range(newest - after + 1, newest + 1):
                assert await _next(socket, "events") == {"number": number}
        await _until(lambda: len(world.endpoint.sockets.fan_out) == 1)
        (group,) = world.endpoint.sockets.fan_out._logs.values()
        await _until(lambda: len(group._waiting) == 6)
        rendered.clear()
        await world.record()
        for socket in crowd:
            assert await _next(socket, "events") == {"number": newest + 1}
        assert rendered["all"] == 1


async def _newest(world):
    from domain.events import newest_numbers

    return (await newest_numbers([world.owner_id]))[world.owner_id]


async def test_another_question_or_account_is_another_group(make_world):
    world = await make_world()
    async with served(world.app) as url, world.socket(url) as first, world.socket(url) as second:
        await _subscribe(first, PROGRESS, **world.variables)
        await _subscribe(first, PROGRESS.replace("status", "progress"), "2", **world.variables)
        await _subscribe(second, MINE)
        await _subscribe(second, EVENTS, "2")
        await _until(lambda: len(world.endpoint.sockets.fan_out) == 4)
        await world.sign_up("bob")
        async with world.socket(url) as bob:
            await _subscribe(bob, MINE)
            assert (await _next(bob, "myAnalysesProgress"))["analysisId"] == world.variables["id"]
            assert len(world.endpoint.sockets.fan_out) == 5


@pytest.mark.parametrize(("query", "field"), [(PROGRESS, "analysisProgress"), (MINE, "myAnalysesProgress")])
async def test_a_newcomer_sees_what_is_true_when_it_comes(make_world, query, field):
    world = await make_world()
    variables = world.variables if query == PROGRESS else {}
    async with served(world.app) as url, world.socket(url) as first:
        await _subscribe(first, query, **variables)
        assert (await _next(first, field))["framesDone"] == 0
        # Nobody says so: only a look at the database can tell.
        await world.store(5)
        async with world.socket(url) as second:
            await _subscribe(second, query, **variables)
            assert (await _next(second, field))["framesDone"] == 5
            assert (await _next(first, field))["framesDone"] == 5
        await world.store(10**6, AnalysisStatus.SUCCEEDED)
        async with world.socket(url) as third:
            await _subscribe(third, PROGRESS, **world.variables)
            assert (await _next(third, "analysisProgress"))["status"] == "SUCCEEDED"
            assert (await third.receive())["type"] == "complete"


class StuckClient:
    """A client that has subscribed and then reads nothing, with little room for what it does not read."""

    def __init__(self, url, token):
        self._url, self._token = url, token

    async def __aenter__(self):
        host, port = self._url.removeprefix("ws://").partition("/")[0].split(":")
        raw = sockets.socket()
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        raw.connect((host, int(port)))
        raw.setblocking(False)
        self._connection = await websockets.connect(
            self._url,
            sock=raw,
            subprotocols=["graphql-transport-ws"],
            max_queue=1,
            ping_interval=None,
            compression=None,
        )
        self.socket = Socket(self._connection)
        await self.socket.init({"token": self._token})
        return self

    async def __aexit__(self, *error):
        self._connection.transport.abort()

    async def rest(self, is_last):
        """Every result from here to the last."""
        results = []
        while not results or not is_last(results[-1]):
            answer = await self.socket.receive()
            results.append(answer["payload"]["data"])
        return results


async def test_who_reads_nothing_delays_nobody_and_gets_the_latest_state(make_world):
    world = await make_world()
    query = PROGRESS.replace("status", "errorMessage")
    async with (
        served(world.app) as url,
        StuckClient(url, world.token) as stuck,
        world.socket(url) as quick,
    ):
        for socket in (stuck.socket, quick):
            await _subscribe(socket, query, **world.variables)
            assert (await _next(socket, "analysisProgress"))["framesDone"] == 0
        (group,) = world.endpoint.sockets.fan_out._states.values()
        frames_done = 0
        while not any(member._pending for member in group._members):
            frames_done += 1
            await world.publish(frames_done, "x" * 20_000)
            assert (await _next(quick, "analysisProgress"))["framesDone"] == frames_done
        for _ in range(200):
            frames_done += 1
            await world.publish(frames_done, "x" * 20_000)
            assert (await _next(quick, "analysisProgress"))["framesDone"] == frames_done
            assert sum(len(member._pending) for member in group._members) <= 1
        seen = [
            result["analysisProgress"]["framesDone"]
            for result in await stuck.rest(lambda last: last["analysisProgress"]["framesDone"] == frames_done)
        ]
        assert seen == sorted(seen)
        assert len(seen) < frames_done, "it misses states in between"


async def test_who_reads_nothing_delays_nobody_and_misses_no_event(make_world):
    world = await make_world()
    query = EVENTS.replace("number", "number message")
    async with (
        served(world.app) as url,
        StuckClient(url, world.token) as stuck,
        world.socket(url) as quick,
    ):
        newest = await _newest(world)
        for socket in (stuck.socket, quick):
            await _subscribe(socket, query, after=str(newest))
        await _until(lambda: len(world.endpoint.sockets.fan_out) == 1)
        (group,) = world.endpoint.sockets.fan_out._logs.values()
        await _until(lambda: len(group._waiting) == 2)
        last = newest
        while len(group._waiting) == 2 or last < newest + 300:
            await world.record(10, message="x" * 5000)
            for _ in range(10):
                last += 1
                assert (await _next(quick, "events"))["number"] == last
            assert last < newest + 2000, "the stuck client has taken everything"
            await asyncio.sleep(0)
        results = await stuck.rest(lambda result: result["events"]["number"] == last)
        assert [result["events"]["number"] for result in results] == list(range(newest + 1, last + 1))


async def test_limits_of_an_account(make_world):
    world = await make_world(max_subscriptions_per_user=3, max_sockets_per_user=2)
    async with served(world.app) as url:
        async with world.socket(url) as first, world.socket(url) as second:
            for number, socket in enumerate((first, first, second)):
                await _subscribe(socket, MINE, str(number))
                await _next(socket, "myAnalysesProgress")
            await _subscribe(second, MINE, "x")
            refused = await second.receive()
            assert (refused["type"], refused["id"]) == ("error", "x")
            assert refused["payload"][0]["extensions"] == {
                "code": "LIMIT_EXCEEDED",
                "limit": "max_subscriptions_per_user",
            }
            assert refused["payload"][0]["message"].count("max_subscriptions_per_user") == 1
            await _subscribe(second, "{ me { username } }", "x")
            assert (await second.receive())["type"] == "next", "other operations go on"
            async with opened(url) as third:
                await third.send({"type": "connection_init", "payload": {"token": world.token}})
                code, reason = await third.closed()
                assert code == 1013
                assert reason.count("max_sockets_per_user") == 1
            await first.send({"type": "complete", "id": "0"})
            await _until(lambda: world.endpoint.sockets.subscriptions.held(world.owner_id) == 2)
        await _until(lambda: not world.endpoint.sockets.sockets.held(world.owner_id))
        assert not world.endpoint.sockets.subscriptions.held(world.owner_id)
        async with world.socket(url) as again:
            await _subscribe(again, MINE)
            await _next(again, "myAnalysesProgress")


async def test_a_deleted_account_ends_its_subscriptions_with_an_error(make_world, monkeypatch):
    world = await make_world()
    # The end of the analysis is noticed before that of the session.
    monkeypatch.setattr(progress_hub, "POLL_SECONDS", 0.05)
    async with served(world.app) as url, world.socket(url) as socket:
        for operation_id, query, field in (
            ("1", PROGRESS, "analysisProgress"),
            ("2", MINE, "myAnalysesProgress"),
        ):
            await _subscribe(socket, query, operation_id, **(world.variables if operation_id == "1" else {}))
            await _next(socket, field)
        await begin_deletion(await User.get(id=world.owner_id), PASSWORD)
        await Analysis.filter(id=world.analysis.id).delete()
        last = [await socket.receive() for _ in range(2)]
        assert sorted((frame["id"], frame["type"]) for frame in last) == [("1", "error"), ("2", "error")]
        assert {frame["payload"][0]["extensions"]["code"] for frame in last} == {"UNAUTHENTICATED"}
        assert (await socket.closed())[0] == 4403


async def test_the_results_of_an_address_stay_with_it(make_world):
    """Links begin with the address a request came to, so another address is another group."""
    world = await make_world()
    async with served(world.app) as url, AsyncExitStack() as stack:
        for address in (url, url.replace("127.0.0.1", "localhost")):
            socket = await stack.enter_async_context(world.socket(address))
            await _subscribe(socket, PROGRESS, **world.variables)
            await _next(socket, "analysisProgress")
        assert len(world.endpoint.sockets.fan_out) == 2


def _objects():
    gc.collect()
    return Counter(type(one).__qualname__ for one in gc.get_objects())


async def test_nothing_is_left_of_events_that_were_sent(make_world):
    """graphql-core 3.3.1 and 3.3.2 keep something of each event whose selection has objects."""
    world = await make_world()
    mine = "subscription { myAnalysesProgress { framesDone counts { label } analysis { video { title } } } }"
    logged = EVENTS.replace("number", "number analysis { video { title } }")
    async with served(world.app) as url, AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(world.socket(url)) for _ in range(20)]
        newest = await _newest(world)
        for socket in crowd:
            await _subscribe(socket, mine, "mine")
            await _next(socket, "myAnalysesProgress")
            await _subscribe(socket, logged, "log", after=str(newest))
        await _until(
            lambda: sum(len(g._waiting) for g in world.endpoint.sockets.fan_out._logs.values()) == 20
        )

        async def round(number):
            await world.publish(number)
            if number % 10 == 0:
                await world.record(analysis_id=world.analysis.id)
            for socket in crowd:
                for _ in range(2 if number % 10 == 0 else 1):
                    await socket.receive()

        for number in range(1, 101):
            await round(number)
        before = _objects()
        for number in range(101, 401):
            await round(number)
        grown = {name: count for name, count in (_objects() - before).items() if count > 250}
        assert not grown


def test_frames_are_json():
    from graphql_api.websocket.protocol import complete_frame, next_frame_start

    for operation_id in ('"', "\\", "\u2028", "ü", "\n"):
        assert json.loads(next_frame_start(operation_id) + "{}}")["id"] == operation_id
        assert json.loads(complete_frame(operation_id))["id"] == operation_id
