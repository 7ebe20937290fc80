"""Progress to subscriptions while the database, Valkey, or a single message is lost."""

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest

from domain.accounts.models import User
from domain.analyses.models import Analysis, AnalysisStatus
from domain.analyses.progress import CHANNEL_PREFIX, publish, take_snapshot
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.outages import database_outage
from domain.videos.models import Video
from graphql_api.live import progress_hub
from graphql_api.live.progress_hub import ProgressHub
from tasks.redis_clients import connect_redis, redis_outage
from tests.outages import private_valkey  # noqa: F401

RUNNING, SUCCEEDED = AnalysisStatus.RUNNING, AnalysisStatus.SUCCEEDED


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(progress_hub, "POLL_SECONDS", 0.3)
    monkeypatch.setattr(progress_hub, "_RECONNECT_SECONDS", 0.05)
    for outage in (database_outage, redis_outage):
        monkeypatch.setattr(outage, "_began_at", None)


@pytest.fixture
async def owner(database):
    return await User.create(id=uuid4(), username="ada", username_key="ada", password_hash="x")


async def _make_analysis(owner, frames_done=0):
    video = await Video.create(
        id=uuid4(), owner_id=owner.id, title="t", filename="t.mp4", size_bytes=1, sha256="0"
    )
    analysis = await create_analysis(owner.id, video, AnalysisSettings("m"))
    await _advance(analysis, frames_done)
    return analysis


async def _advance(analysis, frames_done, status=RUNNING):
    await Analysis.filter(id=analysis.id).update(status=status, frames_done=frames_done, frames_total=1000)


@asynccontextmanager
async def _hub(url):
    redis = connect_redis(url)
    hub = ProgressHub(redis)
    hub.open()
    try:
        yield hub, redis
    finally:
        await hub.close()
        await redis.aclose()


async def _until_heard(hub, redis):
    async with asyncio.timeout(60):
        while not (await redis.pubsub_numpat()):
            await asyncio.sleep(0.02)


async def _next(updates):
    return await asyncio.wait_for(anext(updates), 60)


async def _chat(redis, analysis):
    """News of one analysis, without an end."""
    snapshot = await take_snapshot(analysis.id)
    frames = 1
    while True:
        frames += 1
        await publish(redis, replace(snapshot, frames_done=frames, progress=frames / 1000))
        await asyncio.sleep(0.005)


@pytest.fixture
def away(monkeypatch):
    """Set: the database does not answer the hub."""
    away = asyncio.Event()

    def failing(function):
        async def call(*arguments):
            if away.is_set():
                raise ConnectionError("the database is away")
            return await function(*arguments)

        return call

    for name in ("take_snapshot", "take_snapshots"):
        monkeypatch.setattr(progress_hub, name, failing(getattr(progress_hub, name)))
    return away


@pytest.mark.parametrize("follow_all", [False, True])
async def test_a_database_outage_ends_no_subscription(
    owner,
    private_valkey,  # noqa: F811
    away,
    caplog,
    follow_all,
):
    analysis = await _make_analysis(owner, 10)
    async with _hub(private_valkey.url) as (hub, redis):
        await _until_heard(hub, redis)
        updates = hub.follow_all(owner.id) if follow_all else hub.follow(owner.id, analysis.id)
        async with aclosing(updates):
            assert (await _next(updates)).frames_done == 10
            final = await take_snapshot(analysis.id)
            away.set()
            waiting = asyncio.create_task(_next(updates))
            # One is woken by a message whose truth it cannot look up, and then misses its looks.
            await publish(redis, replace(final, status=SUCCEEDED))
            await asyncio.sleep(0.8)
            assert not waiting.done()
            await _advance(analysis, 1000, SUCCEEDED)
            away.clear()
            snapshot = await waiting
            assert (snapshot.status, snapshot.frames_done) == (SUCCEEDED, 1000)
            if not follow_all:
                with pytest.raises(StopAsyncIteration):
                    await _next(updates)
    assert caplog.text.count("does not answer") == 1, "it is said once"


async def test_a_valkey_outage_ends_no_subscription(owner, private_valkey, caplog):  # noqa: F811
    analysis = await _make_analysis(owner, 10)
    async with _hub(private_valkey.url) as (hub, redis):
        await _until_heard(hub, redis)
        async with (
            aclosing(hub.follow(owner.id, analysis.id)) as one,
            aclosing(hub.follow_all(owner.id)) as every,
        ):
            assert (await _next(one)).frames_done == (await _next(every)).frames_done == 10
            private_valkey.kill()
            private_valkey.empty()
            for frames in (20, 30):
                await _advance(analysis, frames)
                assert (await _next(one)).frames_done == (await _next(every)).frames_done == frames
            assert caplog.text.count("Redis does not answer") == 1, "it is said once"
            await asyncio.to_thread(private_valkey.start)
            await _until_heard(hub, redis)
            snapshot = await take_snapshot(analysis.id)
            await publish(redis, replace(snapshot, frames_done=40))
            assert (await _next(one)).frames_done == (await _next(every)).frames_done == 40, (
                "it listens again"
            )
            await _advance(analysis, 1000, SUCCEEDED)
            assert (await _next(one)).status == (await _next(every)).status == SUCCEEDED


async def test_the_final_state_comes_although_its_message_was_lost_in_a_crowd(
    owner,
    private_valkey,  # noqa: F811
):
    quiet, busy = await _make_analysis(owner), await _make_analysis(owner)
    async with _hub(private_valkey.url) as (hub, redis):
        chat = asyncio.create_task(_chat(redis, busy))
        async with (
            aclosing(hub.follow(owner.id, quiet.id)) as one,
            aclosing(hub.follow_all(owner.id)) as every,
            asyncio.timeout(60),
        ):
            await anext(one)
            seen = set()
            while len(seen) < 2 or (await anext(every)).frames_done < 10:
                seen.add((await anext(every)).analysis_id)
            await _advance(quiet, 1000, SUCCEEDED)
            assert (await anext(one)).status == SUCCEEDED
            while (snapshot := await anext(every)).analysis_id != quiet.id:
                pass
            assert snapshot.status == SUCCEEDED
        chat.cancel()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"analysis_id": 1}', b"\xff"])
async def test_a_message_that_is_not_understood_is_passed_over(
    owner,
    private_valkey,  # noqa: F811
    data,
    monkeypatch,
):
    monkeypatch.setattr(progress_hub, "POLL_SECONDS", 60)
    analysis = await _make_analysis(owner, 10)
    async with _hub(private_valkey.url) as (hub, redis):
        await _until_heard(hub, redis)
        async with aclosing(hub.follow(owner.id, analysis.id)) as updates:
            snapshot = await _next(updates)
            await redis.publish(f"{CHANNEL_PREFIX}{owner.id}", data)
            await publish(redis, replace(snapshot, frames_done=11))
            assert (await _next(updates)).frames_done == 11
