"""A client that sends as fast as it can does not fill the memory of the API."""

import asyncio
import re
from pathlib import Path

import pytest

from benchmarks.uploads import send
from tests.cli.api_process import api_server
from tests.outages import PrivateValkey

MIB = 2**20

CREATE = """mutation($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { url } userErrors { message } } }"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
async def test_memory_stays_flat(tmp_path: Path, private_valkey: PrivateValkey) -> None:
    path = tmp_path / "sent"

    async with api_server(tmp_path, private_valkey.url, min_free_bytes=0) as server:
        process = await server.start()
        token = await server.sign_up()

        def peak_bytes() -> int:
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            assert found is not None
            return int(found[1]) * 1024

        async def upload(size_bytes: int) -> None:
            path.write_bytes(b"")
            with path.open("r+b") as file:
                file.truncate(size_bytes)
            given = {"filename": "x.mp4", "sizeBytes": size_bytes}
            url = (await server.data(CREATE, token, input=given))["createUpload"]["upload"]["url"]
            headers = {
                "Tus-Resumable": "1.0.0",
                "Content-Type": "application/offset+octet-stream",
                "Upload-Offset": "0",
            }
            status, answer, _ = await asyncio.to_thread(send, url, "PATCH", headers, path)
            assert (status, answer["upload-offset"]) == (204, str(size_bytes))

        await upload(4 * MIB)
        before_bytes = peak_bytes()
        await upload(256 * MIB)
        assert peak_bytes() - before_bytes <= 16 * MIB
