"""Uploads over real sockets, by clients that others wrote."""

import asyncio
import hashlib
import http.client
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from gql import Client, FileVar, gql
from gql.transport.aiohttp import AIOHTTPTransport

from storage.local import LocalStorage
from tests.conftest import REPOSITORY
from tests.graphql_api.http_server import http_server
from tests.graphql_api.uploads.multipart.app import MAX_FILE_BYTES, MAX_REQUEST_BYTES, make_app
from tests.graphql_api.uploads.multipart.forms import BOUNDARY, body, file_map, files_body, operations, part

MIB = 2**20
FORM = {
    "content-type": f"multipart/form-data; boundary={BOUNDARY}",
    "graphql-require-preflight": "1",
}


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within 10 seconds")


@pytest.mark.parametrize("streaming", [True, False])
async def test_the_gql_client(
    storage: LocalStorage, tmp_path: Path, nothing_stored: Callable[[], bool], streaming: bool
) -> None:
    names = ["Über uns.mp4", 'a "quoted" 100%.webm']
    for name in names:
        (tmp_path / name).write_bytes(name.encode() * 100_000)
    async with http_server(make_app(storage)) as address:
        transport = AIOHTTPTransport(f"{address}/graphql", headers={"graphql-require-preflight": "1"})
        async with Client(transport=transport) as session:
            query = gql("mutation ($files: [Upload!]!) { uploadVideos(files: $files) { ok } }")
            query.variable_values = {
                "files": [
                    FileVar(
                        str(tmp_path / name), filename=name, content_type="video/mp4", streaming=streaming
                    )
                    for name in names
                ]
            }
            got: Any = await session.execute(query, upload_files=True)
    assert [file["filename"] for file in got] == names
    for file, name in zip(got, names, strict=True):
        assert file["sha256"] == hashlib.sha256(name.encode() * 100_000).hexdigest()
    assert nothing_stored()


async def test_the_httpx_client(storage: LocalStorage) -> None:
    fields = {"operations": '{"query": "x", "variables": {"f": null}}', "map": '{"0": ["variables.f"]}'}
    async with http_server(make_app(storage)) as address, httpx.AsyncClient() as client:
        response = await client.post(
            f"{address}/graphql",
            data=fields,
            files={"0": ("Ü.mp4", b"content", "video/mp4")},
            headers={"x-requested-with": "x"},
        )
    assert response.json()["data"][0]["filename"] == "Ü.mp4"


async def test_a_socket_that_closes_in_the_middle(
    storage: LocalStorage, nothing_stored: Callable[[], bool], tmp_path: Path
) -> None:
    form = files_body(b"x" * 5 * MIB)
    async with http_server(make_app(storage)) as address:
        host, port = address.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = "".join(f"{name}: {value}\r\n" for name, value in FORM.items())
        writer.write(
            f"POST /graphql HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(form)}\r\n\r\n".encode()
        )
        writer.write(form[: 4 * MIB])
        await writer.drain()
        await until(lambda: not nothing_stored())
        writer.transport.abort()
        await until(nothing_stored)


async def test_a_body_that_is_too_large_by_its_header_need_not_be_sent(storage: LocalStorage) -> None:
    async with http_server(make_app(storage)) as address:
        host, port = address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = "".join(f"{name}: {value}\r\n" for name, value in FORM.items())
        writer.write(
            f"POST /graphql HTTP/1.1\r\nHost: x\r\n{head}Expect: 100-continue\r\n"
            f"Content-Length: {MAX_REQUEST_BYTES + 1}\r\n\r\n".encode()
        )
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert b" 413 " in answer


async def test_a_refused_client_gets_its_answer_though_it_still_sends(
    storage: LocalStorage, nothing_stored: Callable[[], bool]
) -> None:
    async def endless() -> Any:
        yield body(operations({}), file_map({"0": ["variables.f"]}), part("0", "", "a")[:-2], end="")
        for _ in range(100):
            yield b"x" * MIB

    async with (
        http_server(make_app(storage)) as address,
        aiohttp.ClientSession() as session,
        session.post(f"{address}/graphql", data=endless(), headers=FORM) as response,
    ):
        assert response.status == 400
        assert "leads nowhere" in (await response.json())["error"]
    assert nothing_stored()


@pytest.fixture
def server_process(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """The port and the process id of an upload server of its own."""
    command = [sys.executable, "-m", "uvicorn", "tests.graphql_api.uploads.multipart.app:app", "--port", "0"]
    environment = {**os.environ, "UPLOAD_FOLDER": str(tmp_path / "files")}
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
                yield int(found[1]), process.pid
                break
        else:
            pytest.fail("the server did not start")
    finally:
        process.terminate()
        process.stderr.close()
        process.wait(timeout=30)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
def test_memory_stays_flat(server_process: tuple[int, int], nothing_stored: Callable[[], bool]) -> None:
    port, pid = server_process
    contents = [400 * MIB, MAX_FILE_BYTES + MIB]
    block = os.urandom(MIB)

    def peak_bytes() -> int:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024

    def form(sizes: list[int]) -> Iterator[bytes]:
        yield operations({"files": [None] * len(sizes)})
        yield file_map({str(number): [f"variables.files.{number}"] for number in range(len(sizes))})
        for number, size_bytes in enumerate(sizes):
            yield part(str(number), b"", f"{number}.mp4")[:-2]
            for _ in range(size_bytes // MIB):
                yield block
            yield b"\r\n"
        yield f"--{BOUNDARY}--\r\n".encode()

    def send(sizes: list[int]) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/graphql", form(sizes), FORM, encode_chunked=True)
        answer = connection.getresponse().read()
        connection.close()
        return answer

    send([MIB, MIB])
    before_bytes = peak_bytes()
    answer = send(contents)
    digest = hashlib.sha256()
    for _ in range(contents[0] // MIB):
        digest.update(block)
    assert digest.hexdigest().encode() in answer
    assert b'"too_large":true' in answer
    assert peak_bytes() - before_bytes < 24 * MIB
    assert nothing_stored()
