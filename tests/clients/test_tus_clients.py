"""tus-js-client and Uppy against a real API process: whole files, and files whose sender or receiver is killed."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.api_process import ApiServer, api_server
from tests.cli.processes import REPOSITORY
from tests.clients.node import CLIENTS, NodeClient, NodeClients
from tests.databases import PostgresServer
from tests.storage.conftest import ceph_server, needs_s3, s3_url  # noqa: F401
from tests.storage.test_contract import pattern

MIB = 2**20
CHUNK_BYTES = MIB
SIZE_BYTES = int(os.environ.get("FRAMEWISE_TEST_UPLOAD_BYTES", 20 * MIB))
"""`FRAMEWISE_TEST_UPLOAD_BYTES=1073741824` shows the same of a large file."""

VIDEO = "query($id: ID!) { video(id: $id) { sha256 sizeBytes filename } }"
CREATE = """mutation($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { id url expiresAt } userErrors { message } } }"""
STATE = "query($id: ID!) { upload(id: $id) { offsetBytes sizeBytes expiresAt video { id } } }"


@asynccontextmanager
async def running(directory: Path, redis_url: str, **settings: Any) -> AsyncIterator[ApiServer]:
    async with api_server(directory, redis_url, min_free_bytes=0, **settings) as server:
        await server.start()
        yield server


@pytest.fixture(params=["sqlite+disk", pytest.param("postgres+s3", marks=needs_s3)])
async def server(
    request: pytest.FixtureRequest, tmp_path: Path, private_valkey: Any
) -> AsyncIterator[ApiServer]:
    settings: dict[str, Any] = {}
    if request.param == "postgres+s3":
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        name = f"tus_{os.getpid()}_{tmp_path.name[-20:].replace('-', '_').replace('+', '_').lower()}"
        await postgres.run(f'CREATE DATABASE "{name}"')
        settings = {"database_url": postgres.url(name), "storage_url": request.getfixturevalue("s3_url")}
    async with running(tmp_path, private_valkey.url, **settings) as server:
        yield server


def make_file(directory: Path, size_bytes: int = SIZE_BYTES) -> tuple[Path, str]:
    path, sha256 = directory / "large.mp4", hashlib.sha256()
    with path.open("wb") as file:
        for number in range(size_bytes // MIB):
            block = pattern(MIB, number)
            file.write(block)
            sha256.update(block)
        file.write(b"the end")
        sha256.update(b"the end")
    return path, sha256.hexdigest()


async def create(server: ApiServer, token: str, path: Path, key: str = "k") -> dict[str, Any]:
    given = {"filename": path.name, "sizeBytes": path.stat().st_size, "idempotencyKey": key}
    payload = (await server.data(CREATE, token, input=given))["createUpload"]
    assert payload["userErrors"] == []
    return payload["upload"]


async def check_video(server: ApiServer, token: str, video_id: str, path: Path, sha256: str) -> None:
    video = (await server.data(VIDEO, token, id=video_id))["video"]
    assert video == {"sha256": sha256, "sizeBytes": path.stat().st_size, "filename": path.name}


@pytest.mark.network_clients
async def test_whole_files(node_clients: NodeClients, server: ApiServer, tmp_path: Path) -> None:
    """From the URL of `createUpload` and by creation, in chunks and in one request."""
    token = await server.sign_up()
    path, sha256 = make_file(tmp_path, 3 * MIB)
    upload = await create(server, token, path)
    for chunk_bytes, place in ((str(CHUNK_BYTES), [upload["url"]]), ("Infinity", [])):
        arguments = ("tus_js.mjs", str(path), chunk_bytes, "0", *place)
        async with node_clients.start(*arguments, url=server.url, token=token) as client:
            *_, last = await client.rest()
        assert last["event"] == "success", last
        await check_video(server, token, last["video"], path, sha256)
    state = (await server.data(STATE, token, id=upload["id"]))["upload"]
    assert state["offsetBytes"] == state["sizeBytes"] == path.stat().st_size
    assert state["video"] is not None
    assert (await create(server, token, path))["id"] == upload["id"]

    url = (await create(server, token, path, key="for Uppy"))["url"]
    for place in ([url], []):
        arguments = ("uppy_tus.mjs", str(path), str(CHUNK_BYTES), *place)
        async with node_clients.start(*arguments, url=server.url, token=token) as client:
            [result] = await client.rest()
        assert result["failed"] == [], result
        [sent_to] = result["successful"]
        assert (sent_to == url) == bool(place)
        async with httpx.AsyncClient() as http:
            headers = (await http.head(sent_to, headers={"Tus-Resumable": "1.0.0"})).headers
        await check_video(server, token, headers["framewise-video"], path, sha256)


class Sender:
    """Sends one file with as many processes as it takes, and counts what is sent twice."""

    def __init__(self) -> None:
        self.highest = 0
        self.resent: list[int] = []
        self.last: dict[str, Any] = {}

    async def follow(self, client: NodeClient, until_bytes: int) -> bool:
        """Until so much is sent; False when it was the end."""
        while True:
            self.last = line = await client.next(120)
            match line["event"]:
                case "progress":
                    self.highest = max(self.highest, line["bytes"])
                    if self.highest >= until_bytes:
                        return True
                case "request" if line["method"] == "PATCH":
                    self.resent.append(max(0, self.highest - int(line["offset"])))
                case "success" | "error":
                    return False


@pytest.mark.network_clients
async def test_an_upload_that_is_interrupted_four_times(
    node_clients: NodeClients, server: ApiServer, tmp_path: Path
) -> None:
    """The client is killed twice and so is the server: at most a chunk is sent again each time."""
    token = await server.sign_up()
    path, sha256 = await asyncio.to_thread(make_file, tmp_path)
    url = (await create(server, token, path))["url"]
    sender, size_bytes = Sender(), path.stat().st_size
    arguments = ("tus_js.mjs", str(path), str(CHUNK_BYTES), "10", url)
    for killed in (1, 3):
        async with node_clients.start(*arguments, url=server.url) as client:
            assert await sender.follow(client, size_bytes * killed // 6), sender.last
            await asyncio.to_thread(kill, server)
            await server.start()
            assert await sender.follow(client, size_bytes * (killed + 1) // 6), sender.last
            client.kill()
    async with node_clients.start(*arguments, url=server.url) as client:
        assert not await sender.follow(client, 2 * size_bytes)
    assert sender.last["event"] == "success", sender.last
    await check_video(server, token, sender.last["video"], path, sha256)
    twice = [count for count in sender.resent if count]
    assert all(count <= CHUNK_BYTES for count in twice), twice
    assert len(twice) <= 4


def kill(server: ApiServer) -> None:
    server.processes[-1].kill()
    server.processes[-1].wait()


@pytest.mark.network_clients
async def test_the_example(node_clients: NodeClients, tmp_path: Path, private_valkey: Any) -> None:
    """Twice: the second time there is nothing left to send."""
    shutil.copy(REPOSITORY / "examples" / "upload_tus.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node_modules")
    async with running(tmp_path, private_valkey.url) as server:
        token = await server.sign_up()
        path, sha256 = make_file(tmp_path, 3 * MIB)
        seen = []
        for _ in range(2):
            process = await asyncio.create_subprocess_exec(
                node_clients.node.node, tmp_path / "upload_tus.mjs", server.url, "ada", "correct horse", path,
                env=node_clients.node.environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            output, complaint = await asyncio.wait_for(process.communicate(), 120)
            assert process.returncode == 0, complaint
            seen.append(output.decode().strip())
        assert seen[0] == seen[1]
        await check_video(server, token, seen[0], path, sha256)
