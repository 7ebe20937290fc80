"""A real `framewise serve` in a folder of its own, and a small client for it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PASSWORD = "correct horse"

NO_RATES = {"sign_in_rate_per_address": "", "sign_up_rate_per_address": "", "mutation_rate_per_user": ""}
"""All that is asked of a test's server comes from one address."""

ANALYSIS_FIELDS = """id status progress framesDone framesTotal errorMessage
  counts { label detections tracks } video { id status rejectionReason frameCount }"""


@dataclass(frozen=True)
class Server:
    url: str
    data_dir: Path
    process: subprocess.Popen[bytes]
    log: Path

    def resident_bytes(self) -> int:
        """Memory of the server and every process below it."""
        parents = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = status.read_text().rpartition(")")[2].split()
                parents[int(status.parent.name)] = (
                    int(fields[1]),
                    int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
                )
        family, total = {self.process.pid}, 0
        for pid in sorted(parents):
            parent, resident = parents[pid]
            if pid in family or parent in family:
                family.add(pid)
                total += resident
        return total

    def client(self, token: str | None = None) -> "Api":
        return Api(self.url, token)

    async def sign_up(self, username: str) -> "Api":
        api = self.client()
        payload = await api.data(
            "mutation($input: SignUpInput!) { signUp(input: $input) { session { accessToken } userErrors { message } } }",
            input={"username": username, "password": PASSWORD},
        )
        return self.client(payload["signUp"]["session"]["accessToken"])


class Api:
    """GraphQL over HTTP as a user."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self.token = token
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def _post(self, **content: Any) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.url, headers=self._headers, timeout=120) as http:
            return (await http.post("/graphql", **content)).json()

    async def execute(self, query: str, **variables: Any) -> dict[str, Any]:
        return await self._post(json={"query": query, "variables": variables})

    async def data(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = await self.execute(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def upload(self, *paths: Path, analyze: dict[str, Any] | None = None) -> dict[str, Any]:
        query = f"""mutation($files: [Upload!]!, $analyze: AnalysisSettingsInput) {{
          uploadVideos(files: $files, analyze: $analyze) {{
            videos {{ id status filename }} analyses {{ {ANALYSIS_FIELDS} }} userErrors {{ code message path }} }} }}"""
        operations = {"query": query, "variables": {"files": [None] * len(paths), "analyze": analyze}}
        names = {str(number): [f"variables.files.{number}"] for number in range(len(paths))}
        files = {str(number): (path.name, path.open("rb")) for number, path in enumerate(paths)}
        try:
            answer = await self._post(
                data={"operations": json.dumps(operations), "map": json.dumps(names)}, files=files
            )
        finally:
            for _, stream in files.values():
                stream.close()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]["uploadVideos"]

    async def analysis(self, analysis_id: str) -> dict[str, Any]:
        data = await self.data(
            f"query($id: ID!) {{ analysis(id: $id) {{ {ANALYSIS_FIELDS} }} }}", id=analysis_id
        )
        return data["analysis"]

    async def finished(self, analysis_id: str, timeout_seconds: float = 120) -> dict[str, Any]:
        async with asyncio.timeout(timeout_seconds):
            while (analysis := await self.analysis(analysis_id))["status"] in ("QUEUED", "RUNNING"):
                await asyncio.sleep(0.1)
        return analysis

    async def probed(self, video_id: str, timeout_seconds: float = 120) -> dict[str, Any]:
        query = "query($id: ID!) { video(id: $id) { id status rejectionReason url thumbnailUrl filename } }"
        async with asyncio.timeout(timeout_seconds):
            while (video := (await self.data(query, id=video_id))["video"])["status"] == "PROBING":
                await asyncio.sleep(0.1)
        return video


async def fetch(url: str, **headers: str) -> httpx.Response:
    """GET a link as somebody who is not signed in."""
    async with httpx.AsyncClient(timeout=60) as http:
        return await http.get(url, headers=headers)


@contextmanager
def running_server(directory: Path, site: Path | None = None, **settings: object) -> Iterator[Server]:
    """Start a server on a free port with these settings and packages of `site`; stop it at the end."""
    data_dir, log = directory / "data", directory / "log"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("FRAMEWISE_", "REDIS_"))
    }
    settings = {**NO_RATES, **settings}
    environment |= {f"FRAMEWISE_{name.upper()}": str(value) for name, value in settings.items()}
    if site is not None:
        environment["PYTHONPATH"] = str(site)
    command = [sys.executable, "-m", "cli", "serve", "--port", "0", "--data-dir", str(data_dir)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield Server(_address(process, data_dir, log), data_dir, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], data_dir: Path, log: Path) -> str:
    state = data_dir / "server.json"
    for _ in range(1200):
        if process.poll() is not None:
            break
        if state.exists():
            return json.loads(state.read_text())["url"]
        time.sleep(0.1)
    raise AssertionError(f"The server did not start:\n{log.read_text()}")
