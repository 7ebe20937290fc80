"""The event log over HTTP and WebSocket: reading, following, resuming, and what cannot be resumed."""

import asyncio
import random
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction

from domain import events as event_log
from domain.accounts import service
from domain.accounts.models import User
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.events import Event, EventKind, EventsUnavailableError, prune_events, record_event
from domain.outages import database_outage
from domain.videos.models import Video
from graphql_api import event_hub
from graphql_api.context import AppState
from graphql_api.event_hub import EventHub
from graphql_api.http import GraphQLEndpoint
from graphql_api.relay import find_uuid, global_id
from graphql_api.schema import make_schema
from graphql_api.websocket import session_watch
from settings import Settings
from tests.databases import connected
from tests.graphql_api.serving import SECRET, Api, opened, served
from tests.outages import private_postgres  # noqa: F401

PAGE = """query($first: Int, $after: String) { events(first: $first, after: $after) {
  edges { cursor node { number cursor kind createdAt message videoId analysisId } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } newestCursor } }"""


class OutageError(ConnectionError):
    """A database that is away."""


@pytest.fixture
async def hub():
    hub = EventHub(poll_seconds=0.01)
    yield hub
    await hub.close()


@pytest.fixture
def app(database, tmp_path, hub):
    """The real schema on a server without storage and Redis."""
    unused = None
    state = AppState(
        settings=Settings(data_dir=tmp_path),
        secret=SECRET,
        storage=unused,
        redis=unused,
        progress_hub=unused,
        event_hub=hub,
    )
    endpoint = GraphQLEndpoint(
        make_schema(), lambda: state, graphiql_page=tmp_path / "graphiql.html", session_check_seconds=0.05
    )
    return Starlette(routes=[Route("/graphql", endpoint), WebSocketRoute("/graphql", endpoint)])


class Account:
    """A signed-in user of the application."""

    def __init__(self, api, session):
        self.api = api
        self.token = session["accessToken"]
        self.refresh_token = session["refreshToken"]
        self.id = find_uuid(session["user"]["id"], "User")

    async def __call__(self, query, **variables):
        return await self.api(query, variables, self.token)

    async def page(self, **variables):
        return (await self(PAGE, **variables))["data"]["events"]

    async def error(self, **variables):
        answer = await self(PAGE, **variables)
        assert answer["data"] is None
        return answer["errors"][0]


@pytest.fixture
async def ada(app):
    api = Api(app)
    return Account(api, await api.sign_up("ada"))


async def _record(owner_id, count=1, **facts):
    for _ in range(count):
        async with in_transaction() as connection:
            await record_event(connection, owner_id, EventKind.ANALYSIS_QUEUED, **facts)


async def _prune(owner_id, up_to):
    long_ago = datetime.now(UTC) - timedelta(days=99)
    await Event.filter(owner_id=owner_id, number__lte=up_to).update(created_at=long_ago)
    assert await prune_events(30) == up_to


async def _make_video(owner_id):
    return await Video.create(
        id=uuid4(), owner_id=owner_id, title="t", filename="t.mp4", size_bytes=1, sha256="0"
    )


def _numbers(connection):
    return [edge["node"]["number"] for edge in connection["edges"]]


async def _until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def _following(url, account, after=None, fields="number", operation_id="1"):
    """A socket with a subscription that has begun."""
    async with opened(url) as socket:
        await socket.init({"token": account.token})
        arguments = "" if after is None else f'(after: "{after}")'
        await socket.subscribe(f"subscription {{ events{arguments} {{ {fields} }} }}", operation_id)
        yield socket


async def _take(socket, count):
    return [(await socket.receive())["payload"]["data"]["events"]["number"] for _ in range(count)]


# ── the query ───────────────────────────────────────────────────────────────


async def test_events_are_read_in_pages_by_number(ada):
    await _record(ada.id, 5)
    page = await ada.page(first=2)
    assert _numbers(page) == [1, 2]
    assert page["pageInfo"] == {
        "hasNextPage": True, "hasPreviousPage": False, "startCursor": "1", "endCursor": "2",
    }  # fmt: skip
    assert page["newestCursor"] == "5"
    assert [edge["cursor"] for edge in page["edges"]] == ["1", "2"]
    page = await ada.page(first=3, after="2")
    assert (_numbers(page), page["pageInfo"]["hasNextPage"]) == ([3, 4, 5], False)
    assert page["pageInfo"]["hasPreviousPage"] is True
    assert (await ada.page(after="5"))["edges"] == []
    assert (await ada.page(first=0))["newestCursor"] == "5"


async def test_an_account_without_events(ada):
    page = await ada.page()
    assert (page["edges"], page["newestCursor"]) == ([], "0")
    assert (await ada.page(after="0"))["edges"] == []


async def test_what_an_event_says_and_of_whom(ada):
    video = await _make_video(ada.id)
    analysis = await create_analysis(ada.id, video, AnalysisSettings("m"))
    ids = {"video_id": video.id, "analysis_id": analysis.id}
    await _record(ada.id, message="Because.", **ids)
    await _record(ada.id)
    query = """{ events { edges { node { kind message createdAt videoId analysisId
      video { id title } analysis { id status } } } } }"""

    async def read():
        answer = await ada(query)
        assert "errors" not in answer, answer
        return [edge["node"] for edge in answer["data"]["events"]["edges"]][-2:]

    full, empty = await read()
    assert datetime.fromisoformat(full.pop("createdAt")) <= datetime.now(UTC)
    video_id, analysis_id = global_id("Video", video.id), global_id("Analysis", analysis.id)
    assert full == {
        "kind": "ANALYSIS_QUEUED", "message": "Because.", "videoId": video_id, "analysisId": analysis_id,
        "video": {"id": video_id, "title": "t"}, "analysis": {"id": analysis_id, "status": "QUEUED"},
    }  # fmt: skip
    assert {empty[name] for name in ("message", "videoId", "analysisId", "video", "analysis")} == {None}
    await video.delete()
    full, _ = await read()
    assert (full["videoId"], full["video"], full["analysisId"], full["analysis"]) == (
        video_id, None, analysis_id, None,
    )  # fmt: skip


async def test_everybody_reads_only_their_own(app, ada):
    bob = Account(ada.api, await ada.api.sign_up("bob"))
    strange = await _make_video(ada.id)
    await _record(ada.id, 3)
    await _record(bob.id, 1, video_id=strange.id)
    assert _numbers(await bob.page()) == [1]
    answer = await bob("{ events { edges { node { videoId video { title } } } } }")
    (edge,) = answer["data"]["events"]["edges"]
    assert edge["node"]["video"] is None, "the id of somebody else's video shows nothing of it"
    answer = await ada.api(PAGE)
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_the_objects_of_a_page_are_loaded_together(ada, monkeypatch):
    for _ in range(5):
        await _record(ada.id, video_id=(await _make_video(ada.id)).id)
    calls = []
    from graphql_api import events

    load_videos = events.load_videos
    monkeypatch.setattr(events, "load_videos", lambda *given: calls.append(given) or load_videos(*given))
    answer = await ada("{ events { edges { node { video { id } } } } }")
    assert len({edge["node"]["video"]["id"] for edge in answer["data"]["events"]["edges"]}) == 5
    assert len(calls) == 1


@pytest.mark.parametrize("after", ["", "x", "-1", "1.0", " 1", "01", "+1", "١", "1" * 19, "MQ"])
async def test_other_text_than_a_number_is_a_mistake(ada, after):
    error = await ada.error(after=after)
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert "number" in error["message"]


async def test_a_page_has_at_most_a_hundred(ada):
    assert (await ada.error(first=101))["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert (await ada.error(first=-1))["extensions"]["code"] == "BAD_USER_INPUT"
    await _record(ada.id, 101)
    assert _numbers(await ada.page()) == list(range(1, 101))


async def test_what_is_no_longer_kept_and_what_is_not_there_yet(app, ada):
    await _record(ada.id, 6)
    await _prune(ada.id, 4)
    assert _numbers(await ada.page()) == [5, 6]
    assert _numbers(await ada.page(after="4")) == [5, 6]
    too_old, too_new = await ada.error(after="3"), await ada.error(after="7")
    for error in (too_old, too_new):
        assert error["extensions"] == {"code": "CONFLICT", "oldest": 5, "newest": 6}
    assert "before number 5 are no longer kept" in too_old["message"]
    assert 'after: "4"' in too_old["message"]
    assert 'after: "6"' in too_new["message"]
    async with served(app) as url:
        for after, error in (("3", too_old), ("7", too_new), ("999999999999999999", None), ("x", None)):
            async with _following(url, ada, after) as socket:
                answer = await socket.receive()
                assert answer["type"] == "error"
                assert error is None or answer["payload"][0]["message"] == error["message"]
                assert error is None or answer["payload"][0]["extensions"] == error["extensions"]


# ── the subscription ────────────────────────────────────────────────────────


async def test_a_subscription_replays_then_follows(app, ada):
    await _record(ada.id, 250)
    async with served(app) as url, _following(url, ada, 3) as socket:
        assert await _take(socket, 247) == list(range(4, 251))
        for number in (251, 252, 253):
            await _record(ada.id)
            assert await _take(socket, 1) == [number]
        await _record(ada.id, 3)
        assert await _take(socket, 3) == [254, 255, 256]


async def test_without_after_it_begins_now(app, ada, hub):
    await _record(ada.id, 5)
    async with served(app) as url, _following(url, ada) as socket:
        await _until(lambda: hub._logs)
        await _record(ada.id)
        assert await _take(socket, 1) == [6]


async def test_the_newest_cursor_leaves_no_gap_before_a_subscription(app, ada):
    await _record(ada.id, 2)
    newest = (await ada.page(first=0))["newestCursor"]
    await _record(ada.id)
    async with served(app) as url, _following(url, ada, newest) as socket:
        assert await _take(socket, 1) == [3]


async def test_events_of_others_are_not_heard(app, ada):
    bob = Account(ada.api, await ada.api.sign_up("bob"))
    async with served(app) as url, _following(url, ada, 0) as first, _following(url, bob, 0) as second:
        await _record(bob.id, 2)
        await _record(ada.id, 1)
        assert await _take(second, 2) == [1, 2]
        assert await _take(first, 1) == [1]


async def test_an_event_shows_its_objects_as_they_are_when_it_is_sent(app, ada):
    video = await _make_video(ada.id)
    async with served(app) as url, _following(url, ada, 0, "number video { title }") as socket:
        for title in ("first", "second"):
            await Video.filter(id=video.id).update(title=title)
            await _record(ada.id, video_id=video.id)
            assert (await socket.receive())["payload"]["data"]["events"]["video"] == {"title": title}


async def test_one_statement_a_look_for_all_and_none_when_nobody_follows(app, ada, hub, monkeypatch):
    bob = Account(ada.api, await ada.api.sign_up("bob"))
    looks = []
    newest_numbers = event_hub.newest_numbers

    async def noted(owner_ids):
        looks.append(set(owner_ids))
        return await newest_numbers(owner_ids)

    monkeypatch.setattr(event_hub, "newest_numbers", noted)
    async with served(app) as url:
        async with _following(url, ada, 0), _following(url, ada, 0), _following(url, bob, 0):
            await _until(lambda: len(looks) > 20 and looks[-1] == {ada.id, bob.id})
        await _until(lambda: not hub._logs and hub._task.done())
        count = len(looks)
        await asyncio.sleep(0.1)
        assert len(looks) == count
        async with _following(url, ada, 0) as socket:
            await _record(ada.id)
            assert await _take(socket, 1) == [1], "it looks again"


async def test_a_slow_reader_holds_up_nobody_and_misses_nothing(hub, ada):
    slow, quick = hub.follow(ada.id, 0), hub.follow(ada.id, 0)
    async with aclosing(slow), aclosing(quick):
        await _record(ada.id, 1)
        assert (await anext(slow)).number == 1
        assert (await anext(quick)).number == 1
        await _record(ada.id, 220)
        assert [(await anext(quick)).number for _ in range(220)] == list(range(2, 222))
        assert [(await anext(slow)).number for _ in range(220)] == list(range(2, 222))


async def test_a_reader_that_pruning_overtakes_is_told(hub, ada):
    async with aclosing(hub.follow(ada.id, 0)) as reader:
        await _record(ada.id, 150)
        assert (await anext(reader)).number == 1
        await _prune(ada.id, 140)
        assert [(await anext(reader)).number for _ in range(99)] == list(range(2, 101)), "read already"
        with pytest.raises(EventsUnavailableError, match='after: "140"'):
            await anext(reader)


async def test_a_log_that_falls_back_under_a_reader_is_an_error(hub, ada):
    async with aclosing(hub.follow(ada.id, 0)) as reader:
        await _record(ada.id, 3)
        assert [(await anext(reader)).number for _ in range(3)] == [1, 2, 3]
        waiting = asyncio.create_task(anext(reader))
        await _until(lambda: hub._logs[ada.id].newest == 3)
        await Event.filter(owner_id=ada.id, number=3).delete()
        await User.filter(id=ada.id).update(event_count=2)
        with pytest.raises(EventsUnavailableError, match="no event 3"):
            await asyncio.wait_for(waiting, 60)


async def test_an_outage_of_the_database_ends_no_subscription(app, ada, hub, monkeypatch, caplog):
    away = asyncio.Event()
    monkeypatch.setattr(database_outage, "_began_at", None)

    def failing(function):
        async def call(*arguments):
            if away.is_set():
                raise OutageError("the database is away")
            return await function(*arguments)

        return call

    for name in ("newest_numbers", "read_events", "event_span"):
        monkeypatch.setattr(event_hub, name, failing(getattr(event_hub, name)))
    monkeypatch.setattr(session_watch, "ended_sessions", failing(session_watch.ended_sessions))
    async with served(app) as url, _following(url, ada, 0) as following, _following(url, ada, 0) as waiting:
        await _record(ada.id, 1)
        assert await _take(following, 1) == await _take(waiting, 1) == [1]
        away.set()
        await _record(ada.id, 2)
        await _until(lambda: "does not answer" in caplog.text)
        async with _following(url, ada) as new:
            await asyncio.sleep(0.2)
            away.clear()
            assert await _take(following, 2) == await _take(waiting, 2) == [2, 3]
            # The first two follow together.
            await _until(lambda: hub._logs[ada.id].followers == 2)
            await _record(ada.id, 1)
            for socket in (following, waiting, new):
                assert await _take(socket, 1) == [4]
    assert caplog.text.count("does not answer") == 1, "it is said once"


async def test_a_postgres_that_crashes_ends_no_subscription(private_postgres, hub):  # noqa: F811
    async with connected(private_postgres.url):
        owner = await User.create(id=uuid4(), username="ada", username_key="ada", password_hash="x")
        async with aclosing(hub.follow(owner.id, 0)) as reader, asyncio.timeout(60):
            await _record(owner.id, 2)
            assert [(await anext(reader)).number for _ in range(2)] == [1, 2]
            waiting = asyncio.create_task(anext(reader))
            await asyncio.to_thread(private_postgres.kill)
            await _until(lambda: database_outage.is_on)
            await asyncio.to_thread(private_postgres.start)
            await _until(lambda: not database_outage.is_on)
            await _record(owner.id, 2)
            assert [(await waiting).number, (await anext(reader)).number] == [3, 4]


async def test_a_fault_of_ours_ends_only_the_subscription_that_met_it(hub, ada, monkeypatch, caplog):
    monkeypatch.setattr(event_hub, "_PAUSE_AFTER_FAULT_SECONDS", 0.01)
    newest_numbers, faults = event_hub.newest_numbers, []

    async def fails_twice(owner_ids):
        if len(faults) < 2:
            faults.append(1)
            raise OperationalError("no such column")
        return await newest_numbers(owner_ids)

    monkeypatch.setattr(event_hub, "newest_numbers", fails_twice)
    async with aclosing(hub.follow(ada.id, 0)) as reader:
        waiting = asyncio.create_task(anext(reader))
        await _until(lambda: len(faults) == 2)
        await _record(ada.id)
        assert (await asyncio.wait_for(waiting, 60)).number == 1
    assert "trying again" in caplog.text


async def test_the_end_of_the_account_ends_its_subscriptions(app, ada, hub):
    bob = Account(ada.api, await ada.api.sign_up("bob"))
    async with served(app) as url, _following(url, ada, 0) as ended, _following(url, bob, 0) as other:
        await _record(ada.id)
        assert await _take(ended, 1) == [1]
        await User.filter(id=ada.id).delete()
        last = await ended.receive()
        assert (last["type"], last["payload"][0]["extensions"]) == ("error", {"code": "UNAUTHENTICATED"})
        assert (await ended.closed())[0] == 4403
        await _record(bob.id)
        assert await _take(other, 1) == [1]
        assert ada.id not in hub._logs


async def test_the_end_of_the_session_ends_its_subscriptions(app, ada, hub):
    async with served(app) as url, _following(url, ada, 0) as socket:
        await _until(lambda: hub._logs)
        await service.sign_out(ada.refresh_token)
        assert (await socket.receive())["payload"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
        assert (await socket.closed())[0] == 4403
        await _until(lambda: not hub._logs)


async def test_nobody_follows_without_signing_in(app):
    async with served(app) as url, opened(url) as socket:
        await socket.init()
        await socket.subscribe("subscription { events { number } }")
        refused = await socket.receive()
        assert refused["payload"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


# ── all of it at once ───────────────────────────────────────────────────────


async def _write(owner_id, chance, count):
    for _ in range(count):
        try:
            async with in_transaction() as connection:
                await record_event(connection, owner_id, EventKind.VIDEO_READY)
                if chance.random() < 0.2:
                    raise OperationalError("changed my mind")
        except OperationalError:
            continue
        await asyncio.sleep(chance.choice((0, 0, 0.001, 0.01)))


async def _follow_and_resume(url, account, chance, is_written, newest):
    """Reads with random interruptions, always going on after the last number seen, until all is read."""
    seen, connections = [], 0
    await asyncio.sleep(chance.random() * 0.05)
    while not (is_written.is_set() and len(seen) == await newest()):
        connections += 1
        async with _following(url, account, seen[-1] if seen else 0) as socket:
            for _ in range(chance.randint(1, 15)):
                try:
                    async with asyncio.timeout(0.3):
                        seen += await _take(socket, 1)
                except TimeoutError:
                    break
            if chance.random() < 0.5:
                socket.connection.transport.abort()
    return seen, connections


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whoever_comes_and_goes_sees_each_event_once_and_in_order(app, ada, hub, seed):
    is_written = asyncio.Event()

    async def newest():
        return (await event_log.newest_numbers([ada.id]))[ada.id]

    async def write():
        writers = [_write(ada.id, random.Random(f"{seed}.{number}"), 25) for number in range(4)]
        await asyncio.gather(*writers)
        is_written.set()

    async with served(app) as url:
        readers = [
            _follow_and_resume(url, ada, random.Random(f"{seed}.r{number}"), is_written, newest)
            for number in range(4)
        ]
        async with asyncio.timeout(60):
            _, *read = await asyncio.gather(write(), *readers)
        total = await newest()
        assert total > 40
        for seen, connections in read:
            assert seen == list(range(1, total + 1))
            assert connections > 3
        await _until(lambda: not hub._logs)
