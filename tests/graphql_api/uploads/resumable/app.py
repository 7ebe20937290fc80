"""The routes of tus on a real server in the test's event loop, and a plain client for them."""

import asyncio
import base64
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette

from domain.accounts.service import sign_up
from domain.accounts.sessions import AccountSettings
from domain.uploads.models import Upload
from graphql_api.context import AppState
from graphql_api.uploads.resumable import endpoint
from graphql_api.uploads.resumable.endpoint import upload_routes
from settings import Settings
from storage.base import AbstractStorage
from tests.graphql_api.http_server import http_server

SECRET = b"s" * 32
PASSWORD = "correct horse"
VERSION = {"Tus-Resumable": "1.0.0"}
CHUNK = VERSION | {"Content-Type": "application/offset+octet-stream"}


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def checksum(data: bytes, algorithm: str = "sha1") -> dict[str, str]:
    return {"Upload-Checksum": f"{algorithm} {encoded(hashlib.new(algorithm, data).digest())}"}


def state_of(directory: Path, storage: AbstractStorage, **changes: Any) -> AppState:
    unused: Any = None
    settings = Settings(data_dir=directory, **{"min_free_bytes": 0, **changes})
    return AppState(settings=settings, secret=SECRET, storage=storage, redis=unused, progress_hub=unused)


class Tus:
    """A client of one account."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self.http = http
        self.token = {"Authorization": f"Bearer {token}"}

    async def post(self, size_bytes: object, content: bytes | None = None, **headers: str) -> httpx.Response:
        given = VERSION | self.token | {"Upload-Length": str(size_bytes)} | under_scored(headers)
        return await self.http.post("/uploads", content=content, headers=given)

    async def create(self, size_bytes: int, filename: str = "clip.mp4") -> str:
        response = await self.post(size_bytes, Upload_Metadata=f"filename {encoded(filename)}")
        assert response.status_code == 201, response.text
        return response.headers["location"]

    async def patch(self, url: str, offset: object, content: Any, **headers: str) -> httpx.Response:
        given = CHUNK | {"Upload-Offset": str(offset)} | under_scored(headers)
        return await self.http.patch(url, content=content, headers=given)

    async def offset(self, url: str) -> int:
        response = await self.http.head(url, headers=VERSION)
        assert response.status_code == 200, response.status_code
        return int(response.headers["upload-offset"])

    async def send(self, data: bytes, chunk_bytes: int, filename: str = "clip.mp4") -> httpx.Response:
        """A whole file, chunk by chunk; the last answer."""
        url = await self.create(len(data), filename)
        for at in range(0, len(data), chunk_bytes):
            response = await self.patch(url, at, data[at : at + chunk_bytes])
            assert response.status_code == 204, response.text
        return response


def under_scored(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


class App:
    """A running server."""

    def __init__(self, state: AppState, url: str, http: httpx.AsyncClient) -> None:
        self.state, self.url, self.http = state, url, http
        self.storage = state.storage

    async def person(self, name: str = "ada") -> Tus:
        signed_in = await sign_up(AccountSettings(SECRET, 900, 3600), name, PASSWORD, None, None)
        return Tus(self.http, signed_in.access_token.token)

    async def keys(self) -> list[str]:
        return [key async for key in self.storage.list()]

    async def row(self) -> Upload:
        return await Upload.all().get()


async def open_patch(app: App, url: str, offset: int, length: int) -> socket.socket:
    """A request whose body the test sends by itself."""
    address = urlsplit(app.url)
    connection = socket.create_connection((address.hostname, address.port))
    connection.setblocking(False)
    head = "".join(f"{name}: {value}\r\n" for name, value in CHUNK.items())
    text = f"PATCH {urlsplit(url).path} HTTP/1.1\r\nHost: x\r\n{head}Upload-Offset: {offset}\r\nContent-Length: {length}\r\n\r\n"
    await asyncio.get_running_loop().sock_sendall(connection, text.encode())
    return connection


async def _no_ring() -> bool:
    return True


@asynccontextmanager
async def running(
    directory: Path, storage: AbstractStorage, monkeypatch: Any, idle_seconds: float = 60.0, **changes: Any
) -> AsyncIterator[App]:
    monkeypatch.setattr(endpoint, "ring", _no_ring)
    state = state_of(directory, storage, **changes)
    app = Starlette(routes=upload_routes(state, idle_seconds=idle_seconds))
    async with http_server(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as http:
        yield App(state, url, http)
