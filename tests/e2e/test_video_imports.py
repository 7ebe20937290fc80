"""An import through a real server whose worker is killed in the middle of it."""

import asyncio
import os
import signal
from pathlib import Path

from tests.e2e.server import PASSWORD, running_server
from tests.tasks.imports.file_server import Exchange, file_server
from tests.tasks.plugin import install_plugin

IMPORT = """mutation($url: String!) { importVideo(url: $url, analyze: {mlModel: "frame-marker"}) {
  video { id } analysis { id } userErrors { message } } }"""


def _worker_of(server_pid: int) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == server_pid and b"worker" in command:
            return int(process.name)
    raise AssertionError("the server has no worker")


async def test_a_killed_worker_begins_the_download_again(tmp_path, media_dir):
    data = await asyncio.to_thread((media_dir / "gestures" / "eat.mkv").read_bytes)
    install_plugin(tmp_path / "site")
    tries: list[Exchange] = []

    async def half_at_first(exchange: Exchange) -> None:
        tries.append(exchange)
        if len(tries) == 1:
            await exchange.respond(data[: len(data) // 2], Content_Length=str(len(data)))
            await exchange.reader.read()  # until the other side is gone
        else:
            await exchange.respond(data)

    settings = {"slots": 1, "import_allowed_networks": "127.0.0.1", "lease_seconds": 3}
    async with file_server(film=half_at_first) as files:
        with running_server(tmp_path, tmp_path / "site", **settings) as server:
            api = await server.sign_up("ada")
            secret_url = files.url("/film") + "?token=very-secret"
            files.answers["/film?token=very-secret"] = half_at_first
            asked = (await api.data(IMPORT, url=secret_url))["importVideo"]
            assert asked["userErrors"] == []
            async with asyncio.timeout(120):
                while not tries:
                    await asyncio.sleep(0.05)
                os.kill(_worker_of(server.process.pid), signal.SIGKILL)
            video = await api.probed(asked["video"]["id"])
            assert (video["status"], video["filename"]) == ("READY", "film")
            assert (await api.finished(asked["analysis"]["id"]))["status"] == "SUCCEEDED"
            assert len(tries) == 2
            stored = await asyncio.to_thread(
                lambda: [path for path in (server.data_dir / "files" / "uploads").iterdir() if path.is_file()]
            )
            assert [path.stat().st_size for path in stored if not path.name.startswith(".")] == [len(data)]
            said = server.log.read_text()
            assert PASSWORD not in said
            assert "very-secret" not in said
