"""Real `framewise api` processes on a socket that the test holds, as the supervisor does."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.cli.processes import PATIENCE_SECONDS, REPOSITORY
from tests.e2e.server import NO_RATES


@dataclass
class ApiServer:
    """An address at which one API process after the other answers.

    Args:
        listener: The listening socket.
        data_dir: Where database and files are.
        redis_url: Of a running Valkey.
        settings: More settings.
    """

    listener: socket.socket
    data_dir: Path
    redis_url: str
    settings: dict[str, Any] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = self.listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"{self.url.replace('http', 'ws')}/graphql"

    @property
    def database_url(self) -> str:
        return f"sqlite://{self.data_dir / 'framewise.sqlite3'}"

    @property
    def log(self) -> str:
        return (self.data_dir / "log").read_text()

    async def start(self, *, alone: bool = False) -> subprocess.Popen[bytes]:
        """Start a process and wait until it answers; `alone`: on the port, and not on the socket."""
        where = ["--port", str(self.port)]
        inherited: tuple[int, ...] = ()
        if alone:
            self.listener.close()
        else:
            inherited = (self.listener.fileno(),)
            where = ["--listen-fd", str(self.listener.fileno())]
        with (self.data_dir / "log").open("ab") as output:
            process = subprocess.Popen(
                [*FRAMEWISE, "api", *where], pass_fds=inherited, cwd=REPOSITORY, env=self._environment(),
                stdout=output, stderr=output,
            )  # fmt: skip
        self.processes.append(process)
        async with asyncio.timeout(PATIENCE_SECONDS), httpx.AsyncClient() as http:
            while True:
                assert process.poll() is None, self.log
                with suppress(httpx.HTTPError):
                    if (await http.get(f"{self.url}/healthz")).status_code == 200:
                        return process
                await asyncio.sleep(0.02)

    async def data(self, query: str, token: str | None = None, **variables: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http:
            response = await http.post(
                f"{self.url}/graphql", json={"query": query, "variables": variables}, headers=headers
            )
        answer = response.json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def sign_up(self, username: str = "ada") -> str:
        """A new account's access token."""
        answer = await self.data(
            "mutation($input: SignUpInput!) { signUp(input: $input) { session { accessToken } } }",
            input={"username": username, "password": "correct horse"},
        )
        return answer["signUp"]["session"]["accessToken"]

    def _environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWISE_")}
        given = {**NO_RATES, "data_dir": self.data_dir, "redis_url": self.redis_url, **self.settings}
        return environment | {f"FRAMEWISE_{name.upper()}": str(value) for name, value in given.items()}

    def migrate(self) -> None:
        subprocess.run(
            [*FRAMEWISE, "migrate"],
            check=True,
            cwd=REPOSITORY,
            env=self._environment(),
            stdout=subprocess.DEVNULL,
        )


FRAMEWISE = (sys.executable, "-m", "cli")


async def exit_code(process: subprocess.Popen[bytes]) -> int:
    """How a process ended, once it has."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while process.poll() is None:
            await asyncio.sleep(0.01)
    return process.returncode


@asynccontextmanager
async def api_server(directory: Path, redis_url: str, **settings: Any) -> AsyncIterator[ApiServer]:
    """An address with an empty database, at which nothing answers yet; ends what is started there."""
    data_dir = directory / "data"
    data_dir.mkdir()
    (data_dir / "log").touch()
    server = ApiServer(socket.create_server(("127.0.0.1", 0)), data_dir, redis_url, settings)
    try:
        await asyncio.to_thread(server.migrate)
        yield server
    finally:
        server.listener.close()
        for process in server.processes:
            process.kill()
            process.wait()
