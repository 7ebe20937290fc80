"""What the list of videos is measured against: plain routes that do the same query.

Run as `python -m benchmarks.plain_list <database URL> <data directory> <owner's id> <descriptor of a
listening socket>`.
"""

import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tortoise import connections

from domain.accounts.sessions import authenticate
from domain.accounts.tokens import load_or_create_secret
from domain.database import connect, disconnect
from domain.sql import fetch_values

NAMES = ("id", "title", "filename", "status", "sizeBytes", "width", "durationSeconds", "createdAt")

_SQL = """SELECT id, title, filename, status, size_bytes, width, duration_seconds, created_at FROM videos
WHERE owner_id = ? ORDER BY created_at DESC, id DESC LIMIT 100"""


def make_app(database_url: str, secret: bytes, owner_id: UUID) -> Starlette:
    """An application that knows nothing of GraphQL or pages.

    `/videos` knows nothing of sessions either, and hands its query to a thread, as everybody does. `/mine`
    reads with what we read with, and asks the database, as we do, whose the request is.
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await connect(database_url)
        yield
        await disconnect()

    async def videos(_request: Request) -> Response:
        return _answer((await connections.get("default").execute_query(_SQL, [str(owner_id)]))[1])

    async def mine(request: Request) -> Response:
        viewer = await authenticate(request.headers["authorization"].removeprefix("Bearer "), secret)
        return _answer(await fetch_values(_SQL, viewer.user_id))

    return Starlette(routes=[Route("/videos", videos), Route("/mine", mine)], lifespan=lifespan)


def _answer(rows: Sequence[Any]) -> Response:
    content = {"videos": [dict(zip(NAMES, row, strict=True)) for row in rows]}
    return Response(orjson.dumps(content), media_type="application/json")


if __name__ == "__main__":
    url, data_dir, owner, descriptor = sys.argv[1:]
    app = make_app(url, load_or_create_secret(Path(data_dir)), UUID(owner))
    config = uvicorn.Config(app, log_config=None, access_log=False)
    uvicorn.Server(config).run([socket.socket(fileno=int(descriptor))])
