"""What the list of videos is measured against: a plain route that does the same query.

Run as `python -m benchmarks.plain_list <database URL> <owner's id> <descriptor of a listening socket>`.
"""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.database import connect, disconnect
from domain.sql import fetch_values

NAMES = ("id", "title", "filename", "status", "sizeBytes", "width", "durationSeconds", "createdAt")

_SQL = """SELECT id, title, filename, status, size_bytes, width, duration_seconds, created_at FROM videos
WHERE owner_id = ? ORDER BY created_at DESC, id DESC LIMIT 100"""


def make_app(database_url: str, owner_id: UUID) -> Starlette:
    """An application with one route, which knows nothing of GraphQL, sessions or pages."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await connect(database_url)
        yield
        await disconnect()

    async def videos(_request: Request) -> Response:
        rows = await fetch_values(_SQL, owner_id)
        content = {"videos": [dict(zip(NAMES, row, strict=True)) for row in rows]}
        return Response(orjson.dumps(content), media_type="application/json")

    return Starlette(routes=[Route("/videos", videos)], lifespan=lifespan)


if __name__ == "__main__":
    url, owner, descriptor = sys.argv[1:]
    config = uvicorn.Config(make_app(url, UUID(owner)), log_config=None, access_log=False)
    uvicorn.Server(config).run([socket.socket(fileno=int(descriptor))])
