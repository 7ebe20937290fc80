"""Clients that reconnect, while one API process after the other takes over."""

import asyncio
import signal
from contextlib import suppress
from uuid import uuid4

import pytest
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportError
from gql.transport.websockets import WebsocketsTransport
from tortoise.transactions import in_transaction

from domain.accounts.models import User
from domain.analyses.models import Analysis, AnalysisStatus
from domain.analyses.progress import publish, take_snapshot
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.database import connect, disconnect
from domain.events import EventKind, event_span, record_event
from domain.videos.models import Video
from graphql_api.relay import global_id
from tasks.redis_clients import connect_redis
from tests.cli.api_process import api_server, exit_code
from tests.outages import private_valkey  # noqa: F401

RESTARTS = 2
FRAMES = 100_000
RETRIES = ("--retries", "1000")

PROGRESS = "subscription($id: ID!) { analysisProgress(id: $id) { status progress framesDone } }"
EVENTS = "subscription($after: String) { events(after: $after) { cursor kind } }"


@pytest.fixture
async def server(tmp_path, private_valkey):  # noqa: F811
    async with api_server(tmp_path, private_valkey.url) as server:
        await connect(server.database_url)
        try:
            yield server
        finally:
            await disconnect()


class Worker:
    """Plays the part of the worker: moves one analysis on, says so, and writes events."""

    def __init__(self, analysis, redis):
        self.analysis = analysis
        self.frames_done = 0
        self._redis = redis

    async def work(self, until):
        """Move on until `until` is done, then finish."""
        while not until.done():
            self.frames_done += 7
            await self._save(AnalysisStatus.RUNNING)
            await asyncio.sleep(0.03)
        self.frames_done = FRAMES
        await self._save(AnalysisStatus.SUCCEEDED)

    async def _save(self, status):
        facts = {"status": status, "frames_done": self.frames_done, "frames_total": FRAMES}
        kind = (
            EventKind.ANALYSIS_RUNNING if status == AnalysisStatus.RUNNING else EventKind.ANALYSIS_SUCCEEDED
        )
        async with in_transaction() as connection:
            await Analysis.filter(id=self.analysis.id).using_db(connection).update(**facts)
            await record_event(connection, self.analysis.owner_id, kind, analysis_id=self.analysis.id)
        await publish(self._redis, await take_snapshot(self.analysis.id))


async def _restart(server, process, *seen):
    """As an operator does: each process ends in order before the next one starts."""
    for _ in range(RESTARTS):
        await _all_grow(*seen)
        process.send_signal(signal.SIGTERM)
        assert await exit_code(process) == 0
        process = await server.start()
    await _all_grow(*seen)


async def _all_grow(*seen):
    counts = [len(one) for one in seen]
    while any(len(one) <= count for one, count in zip(seen, counts, strict=True)):
        await asyncio.sleep(0.02)


async def _reconnecting(server, token, query, variables, connections):
    """What a subscription gives over as many connections as it takes; `variables` are read at each."""
    while True:
        with suppress(TransportError, OSError, EOFError):
            transport = WebsocketsTransport(
                server.socket_url, init_payload={"Authorization": f"Bearer {token}"}, connect_timeout=30
            )
            async with Client(transport=transport) as session:
                connections.append(1)
                request = GraphQLRequest(query, variable_values=dict(variables))
                async for answer in session.subscribe(request):
                    yield answer
                return
        await asyncio.sleep(0.05)


async def _watch_progress(server, token, analysis_id, connections, seen):
    variables = {"id": analysis_id}
    async for answer in _reconnecting(server, token, PROGRESS, variables, connections):
        seen.append(answer["analysisProgress"])


async def _watch_events(server, token, connections, seen):
    variables = {"after": "0"}
    async for answer in _reconnecting(server, token, EVENTS, variables, connections):
        seen.append(answer["events"])
        variables["after"] = answer["events"]["cursor"]
        if answer["events"]["kind"] == "ANALYSIS_SUCCEEDED":
            return


async def _read_lines(client, seen):
    """The codes of the connections that were closed, until the analysis is done; `seen` gets the data."""
    closed = []
    while not seen or not {"SUCCEEDED", "ANALYSIS_SUCCEEDED"} & set(map(str, seen[-1].values())):
        line = await client.next()
        if line["event"] == "closed":
            closed.append(line["code"])
        if line["event"] == "next":
            seen.append(line["data"])
    return closed


def _check_progress(updates):
    frames = [update["framesDone"] for update in updates]
    assert frames == sorted(frames), "it never goes back"
    assert len(set(frames)) > RESTARTS, "it was seen on the way"
    assert (updates[-1]["status"], updates[-1]["progress"]) == ("SUCCEEDED", 100)
    assert [update["status"] for update in updates].count("SUCCEEDED") == 1


async def test_clients_that_reconnect_lose_nothing(server, node_clients, private_valkey):  # noqa: F811
    process = await server.start()
    token = await server.sign_up()
    owner = await User.get(username="ada")
    video = await Video.create(
        id=uuid4(), owner_id=owner.id, title="t", filename="t.mp4", size_bytes=1, sha256="0"
    )
    analysis = await create_analysis(owner.id, video, AnalysisSettings("m"))
    analysis_id = global_id("Analysis", analysis.id)
    redis, connections = connect_redis(private_valkey.url), []
    javascript = {"url": server.url, "token": token}
    async with (
        node_clients.start("watch_analysis.mjs", analysis_id, *RETRIES, **javascript) as progress_client,
        node_clients.start("watch_events.mjs", "0", *RETRIES, **javascript) as events_client,
        asyncio.timeout(120),
    ):
        seen = progress, events, progress_by_gql, events_by_gql = [], [], [], []
        restarting = asyncio.create_task(_restart(server, process, *seen))
        *closed, _, _, _, _ = await asyncio.gather(
            _read_lines(progress_client, progress),
            _read_lines(events_client, events),
            _watch_progress(server, token, analysis_id, connections, progress_by_gql),
            _watch_events(server, token, connections, events_by_gql),
            Worker(analysis, redis).work(restarting),
            restarting,
        )
        assert {line["event"] for line in await progress_client.rest()} == {"complete", "closed"}
    await redis.aclose()
    _check_progress(progress)
    _check_progress(progress_by_gql)
    assert closed == [[1012] * RESTARTS] * 2, "the code after which clients come back"
    assert len(connections) >= 2 * (1 + RESTARTS)
    newest = (await event_span(owner.id)).newest
    for one in (events, events_by_gql):
        assert [event["cursor"] for event in one] == [str(number) for number in range(1, newest + 1)]
