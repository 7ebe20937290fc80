"""Accounts of a server that has nothing but the event log, and what is written into it."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tortoise.transactions import in_transaction

from domain.events import Event, EventKind, prune_events, record_event
from domain.videos.models import Video
from graphql_api.relay import find_uuid
from tests.graphql_api.serving import opened

PAGE = """query($first: Int, $after: String) { events(first: $first, after: $after) {
  edges { cursor node { number cursor kind createdAt message videoId analysisId } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } newestCursor } }"""


class OutageError(ConnectionError):
    """A database that is away."""


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


async def record_events(owner_id, count=1, **facts):
    for _ in range(count):
        async with in_transaction() as connection:
            await record_event(connection, owner_id, EventKind.ANALYSIS_QUEUED, **facts)


async def prune(owner_id, up_to):
    long_ago = datetime.now(UTC) - timedelta(days=99)
    await Event.filter(owner_id=owner_id, number__lte=up_to).update(created_at=long_ago)
    assert await prune_events(30) == up_to


async def make_video(owner_id):
    return await Video.create(
        id=uuid4(), owner_id=owner_id, title="t", filename="t.mp4", size_bytes=1, sha256="0"
    )


def numbers_of(connection):
    return [edge["node"]["number"] for edge in connection["edges"]]


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def followed(url, account, after=None, fields="number", operation_id="1"):
    """A socket with a subscription that has begun."""
    async with opened(url) as socket:
        await socket.init({"token": account.token})
        arguments = "" if after is None else f'(after: "{after}")'
        await socket.subscribe(f"subscription {{ events{arguments} {{ {fields} }} }}", operation_id)
        yield socket


async def take(socket, count):
    return [(await socket.receive())["payload"]["data"]["events"]["number"] for _ in range(count)]
