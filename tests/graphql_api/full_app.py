"""The whole schema over HTTP in the test's event loop: real database and storage, no Redis, no worker."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from domain.accounts.service import sign_up
from domain.accounts.sessions import AccountSettings
from graphql_api.context import AppState
from graphql_api.http.endpoint import GraphQLEndpoint
from graphql_api.http.files import files_route
from graphql_api.http.links import find_target
from graphql_api.people.exports import exports_route
from graphql_api.schema import make_schema
from graphql_api.uploads.resumable.endpoint import upload_routes
from settings import Settings
from storage.base import AbstractStorage
from storage.local import LocalStorage

SECRET = b"s" * 32
PASSWORD = "correct horse"

UPLOAD = """mutation($files: [Upload!]!, $analyze: AnalysisSettingsInput, $idempotencyKey: String) {
  uploadVideos(files: $files, analyze: $analyze, idempotencyKey: $idempotencyKey) {
    videos { id status url } analyses { id } userErrors { code message path } } }"""

File = tuple[str, bytes]


class Person:
    """An account that sends operations."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self.http = http
        self.headers = {"Authorization": f"Bearer {token}"}

    async def execute(self, query: str, **variables: Any) -> dict[str, Any]:
        content = {"query": query, "variables": variables}
        return (await self.http.post("/graphql", json=content, headers=self.headers)).json()

    async def data(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = await self.execute(query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def upload(self, *files: File, **variables: Any) -> dict[str, Any]:
        operations = {"query": UPLOAD, "variables": {"files": [None] * len(files), **variables}}
        places = {str(number): [f"variables.files.{number}"] for number in range(len(files))}
        response = await self.http.post(
            "/graphql",
            data={"operations": json.dumps(operations), "map": json.dumps(places)},
            files={str(number): file for number, file in enumerate(files)},
            headers=self.headers,
        )
        answer = response.json()
        assert "errors" not in answer, answer
        return answer["data"]["uploadVideos"]


class FullApp:
    """The application."""

    def __init__(self, directory: Path, **changes: Any) -> None:
        self.storage: AbstractStorage = LocalStorage(directory / "files")
        settings = Settings(data_dir=directory, public_url="http://testserver", **changes)
        unused: Any = None
        self.state = state = AppState(
            settings=settings, secret=SECRET, storage=self.storage, redis=unused, progress_hub=unused
        )
        endpoint = GraphQLEndpoint(make_schema(), lambda: state, graphiql_page=directory / "none.html")
        files = files_route(self.storage, SECRET, find_target)
        exports = exports_route(self.storage, SECRET)
        app = Starlette(routes=[Route("/graphql", endpoint), files, exports, *upload_routes(state)])
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")

    async def __aenter__(self) -> Self:
        await self.storage.prepare()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.http.aclose()
        await self.state.photo_search.close()

    async def person(self, name: str = "ada") -> Person:
        signed_in = await sign_up(AccountSettings(SECRET, 900, 3600), name, PASSWORD, None, None)
        return Person(self.http, signed_in.access_token.token)

    async def keys(self, folder: str = "") -> Sequence[str]:
        return [key async for key in self.storage.list(folder)]
