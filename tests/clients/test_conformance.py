"""The audit of GraphQL over HTTP, and the clients that people use, against a real `framewise serve`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gql import Client, FileVar, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.websockets import WebsocketsTransport

from tests.clients.node import NodeClients
from tests.e2e.server import Api, Server, running_server

QUERY = "query Me($task: MLTask) { me { username } mlModels(task: $task) { name } }"
UPLOAD = """mutation Upload($files: [Upload!]!) {
  uploadVideos(files: $files) { videos { id filename sizeBytes } userErrors { code message } }
}"""
SUBSCRIPTION = "subscription Follow($after: String) { events(after: $after) { cursor kind videoId } }"
AUDITS = 61

pytestmark = [pytest.mark.network_clients, pytest.mark.xdist_group("conformance")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("conformance"), slots=1) as server:
        yield server


@pytest.fixture
async def person(server: Server, request: pytest.FixtureRequest) -> tuple[str, Api]:
    username = f"client{abs(hash(request.node.name))}"
    return username, await server.sign_up(username)


@pytest.fixture
def clip(media_dir: Path) -> Path:
    return media_dir / "gestures" / "eat.mkv"


async def test_the_audit_finds_nothing(node_clients: NodeClients, server: Server) -> None:
    async with node_clients.start("audit.mjs", url=server.url) as client:
        audits = await client.rest()
    failed = [f"{audit['name']}: {audit.get('reason')}" for audit in audits if audit["status"] != "ok"]
    print(f"{len(audits) - len(failed)} of {len(audits)} audits of graphql-http pass")  # noqa: T201
    assert not failed
    assert len(audits) == AUDITS


@pytest.mark.parametrize("script", ["urql.mjs", "apollo.mjs", "graphql_request.mjs", "graphql_ws.mjs"])
async def test_a_client_in_javascript(
    node_clients: NodeClients, server: Server, person: tuple[str, Api], clip: Path, script: str
) -> None:
    username, api = person
    if script in ("graphql_request.mjs", "graphql_ws.mjs"):
        await api.upload(clip)
    async with node_clients.start(script, str(clip), url=server.url, token=api.token) as client:
        answers = await client.next(60)
        assert await client.rest() == []
    assert client.returncode == 0
    await check(answers, username, api, clip)
    expected = {"urql.mjs": 3, "apollo.mjs": 3, "graphql_request.mjs": 1, "graphql_ws.mjs": 2}
    assert len(answers) == expected[script]


async def test_gql_in_python(server: Server, person: tuple[str, Api], clip: Path) -> None:
    username, api = person
    headers = {"Authorization": f"Bearer {api.token}"}
    answers: dict[str, Any] = {}
    async with Client(transport=AIOHTTPTransport(f"{server.url}/graphql", headers=headers)) as session:
        answers["query"] = await session.execute(
            GraphQLRequest(QUERY, variable_values={"task": "FACE_DETECTION"})
        )
        file = FileVar(str(clip), content_type="video/mp4")
        answers["upload"] = await session.execute(
            GraphQLRequest(UPLOAD, variable_values={"files": [file]}), upload_files=True
        )
    transport = WebsocketsTransport(server.url.replace("http", "ws") + "/graphql", init_payload=headers)
    async with asyncio.timeout(60), Client(transport=transport) as session:
        async for event in session.subscribe(GraphQLRequest(SUBSCRIPTION, variable_values={"after": "0"})):
            answers["event"] = event
            break
    await check(answers, username, api, clip)


async def check(answers: dict[str, Any], username: str, api: Api, clip: Path) -> None:
    assert answers["query"]["me"]["username"] == username
    assert answers["query"]["mlModels"]
    video_id = (await api.data("{ videos { edges { node { id } } } }"))["videos"]["edges"]
    if "upload" in answers:
        payload = answers["upload"]["uploadVideos"]
        assert payload["userErrors"] == []
        (video,) = payload["videos"]
        assert (video["filename"], video["sizeBytes"]) == (clip.name, clip.stat().st_size)
        assert [edge["node"]["id"] for edge in video_id] == [video["id"]]
    if "event" in answers:
        event = answers["event"]["events"]
        assert (event["cursor"], event["kind"]) == ("1", "VIDEO_UPLOADED")
        assert event["videoId"] == video_id[0]["node"]["id"]
