"""Following the event log over WebSockets, and resuming."""

import asyncio
import random
from contextlib import aclosing
from uuid import uuid4

import pytest
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction

from domain import events as event_log
from domain.accounts import sessions
from domain.accounts.models import User
from domain.events import Event, EventKind, EventsUnavailableError, record_event
from domain.outages import database_outage
from domain.videos.models import Video
from graphql_api.live import event_hub
from graphql_api.websocket import session_watch
from tests.databases import connected
from tests.graphql_api.events.event_log import (
    Account,
    OutageError,
    followed,
    make_video,
    prune,
    record_events,
    take,
    until,
)
from tests.graphql_api.serving import opened, served


async def test_a_subscription_replays_then_follows(app, ada):
    await record_events(ada.id, 250)
    async with served(app) as url, followed(url, ada, 3) as socket:
        assert await take(socket, 247) == list(range(4, 251))
        for number in (251, 252, 253):
            await record_events(ada.id)
            assert await take(socket, 1) == [number]
        await record_events(ada.id, 3)
        assert await take(socket, 3) == [254, 255, 256]


async def test_without_after_it_begins_now(app, ada, hub):
    await record_events(ada.id, 5)
    async with served(app) as url, followed(url, ada) as socket:
        await until(lambda: hub._logs)
        await record_events(ada.id)
        assert await take(socket, 1) == [6]


async def test_the_newest_cursor_leaves_no_gap_before_a_subscription(app, ada):
    await record_events(ada.id, 2)
    newest = (await ada.page(first=0))["newestCursor"]
    await record_events(ada.id)
    async with served(app) as url, followed(url, ada, newest) as socket:
        assert await take(socket, 1) == [3]


async def test_events_of_others_are_not_heard(app, ada):
    bob = Account(ada.api, await ada.api.sign_up("bob"))
    async with served(app) as url, followed(url, ada, 0) as first, followed(url, bob, 0) as second:
        await record_events(bob.id, 2)
        await record_events(ada.id, 1)
        assert await take(second, 2) == [1, 2]
        assert await take(first, 1) == [1]


async def test_an_event_shows_its_objects_as_they_are_when_it_is_sent(app, ada):
    video = await make_video(ada.id)
    async with served(app) as url, followed(url, ada, 0, "number video { title }") as socket:
        for title in ("first", "second"):
            await Video.filter(id=video.id).update(title=title)
            await record_events(ada.id, video_id=video.id)
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
        async with followed(url, ada, 0), followed(url, ada, 0), followed(url, bob, 0):
            await until(lambda: len(looks) > 20 and looks[-1] == {ada.id, bob.id})
        await until(lambda: not hub._logs and hub._task.done())
        count = len(looks)
        await asyncio.sleep(0.1)
        assert len(looks) == count
        async with followed(url, ada, 0) as socket:
            await record_events(ada.id)
            assert await take(socket, 1) == [1], "it looks again"


async def test_a_slow_reader_holds_up_nobody_and_misses_nothing(hub, ada):
    slow, quick = hub.follow(ada.id, 0), hub.follow(ada.id, 0)
    async with aclosing(slow), aclosing(quick):
        await record_events(ada.id, 1)
        assert (await anext(slow)).number == 1
        assert (await anext(quick)).number == 1
        await record_events(ada.id, 220)
        assert [(await anext(quick)).number for _ in range(220)] == list(range(2, 222))
        assert [(await anext(slow)).number for _ in range(220)] == list(range(2, 222))


async def test_a_reader_that_pruning_overtakes_is_told(hub, ada):
    async with aclosing(hub.follow(ada.id, 0)) as reader:
        await record_events(ada.id, 150)
        assert (await anext(reader)).number == 1
        await prune(ada.id, 140)
        assert [(await anext(reader)).number for _ in range(99)] == list(range(2, 101)), "read already"
        with pytest.raises(EventsUnavailableError, match='after: "140"'):
            await anext(reader)


async def test_a_log_that_falls_back_under_a_reader_is_an_error(hub, ada):
    async with aclosing(hub.follow(ada.id, 0)) as reader:
        await record_events(ada.id, 3)
        assert [(await anext(reader)).number for _ in range(3)] == [1, 2, 3]
        waiting = asyncio.create_task(anext(reader))
        await until(lambda: hub._logs[ada.id].newest == 3)
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
    async with served(app) as url, followed(url, ada, 0) as following, followed(url, ada, 0) as waiting:
        await record_events(ada.id, 1)
        assert await take(following, 1) == await take(waiting, 1) == [1]
        away.set()
        await record_events(ada.id, 2)
        await until(lambda: "does not answer" in caplog.text)
        async with followed(url, ada) as new:
            await asyncio.sleep(0.2)
            away.clear()
            assert await take(following, 2) == await take(waiting, 2) == [2, 3]
            # The first two follow together.
            await until(lambda: hub._logs[ada.id].followers == 2)
            await record_events(ada.id, 1)
            for socket in (following, waiting, new):
                assert await take(socket, 1) == [4]
    assert caplog.text.count("does not answer") == 1, "it is said once"


async def test_a_postgres_that_crashes_ends_no_subscription(private_postgres, hub):
    async with connected(private_postgres.url):
        owner = await User.create(id=uuid4(), username="ada", username_key="ada", password_hash="x")
        async with aclosing(hub.follow(owner.id, 0)) as reader, asyncio.timeout(60):
            await record_events(owner.id, 2)
            assert [(await anext(reader)).number for _ in range(2)] == [1, 2]
            waiting = asyncio.create_task(anext(reader))
            await asyncio.to_thread(private_postgres.kill)
            await until(lambda: database_outage.is_on)
            await asyncio.to_thread(private_postgres.start)
            await until(lambda: not database_outage.is_on)
            await record_events(owner.id, 2)
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
        await until(lambda: len(faults) == 2)
        await record_events(ada.id)
        assert (await asyncio.wait_for(waiting, 60)).number == 1
    assert "trying again" in caplog.text


async def test_the_end_of_the_account_ends_its_subscriptions(app, ada, hub):
    bob = Account(ada.api, await ada.api.sign_up("bob"))
    async with served(app) as url, followed(url, ada, 0) as ended, followed(url, bob, 0) as other:
        await record_events(ada.id)
        assert await take(ended, 1) == [1]
        await User.filter(id=ada.id).delete()
        last = await ended.receive()
        assert (last["type"], last["payload"][0]["extensions"]) == ("error", {"code": "UNAUTHENTICATED"})
        assert (await ended.closed())[0] == 4403
        await record_events(bob.id)
        assert await take(other, 1) == [1]
        assert ada.id not in hub._logs


async def test_the_end_of_the_session_ends_its_subscriptions(app, ada, hub):
    async with served(app) as url, followed(url, ada, 0) as socket:
        await until(lambda: hub._logs)
        await sessions.sign_out(ada.refresh_token)
        assert (await socket.receive())["payload"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
        assert (await socket.closed())[0] == 4403
        await until(lambda: not hub._logs)


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
        async with followed(url, account, seen[-1] if seen else 0) as socket:
            for _ in range(chance.randint(1, 15)):
                try:
                    async with asyncio.timeout(0.3):
                        seen += await take(socket, 1)
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
        await until(lambda: not hub._logs)
