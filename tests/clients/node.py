"""Runs the clients written in JavaScript that lie in this folder."""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from scripts.build_web import BuildError, Node, find_node

CLIENTS = Path(__file__).resolve().parent
_INSTALLED_FROM = ".installed-from"
_END = "the client has ended"


class NodeClient:
    """One running client: the JSON lines it prints, as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def next(self, timeout_seconds: float = 30) -> dict[str, Any]:
        """The next line; fails with what the client wrote to stderr when it has ended or stays silent."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), timeout_seconds)
        except TimeoutError:
            self.kill()
            pytest.fail(f"The client said nothing for {timeout_seconds} s. {await self._complaint()}")
        if not line:
            await self._process.wait()
            pytest.fail(f"{_END} with status {self._process.returncode}. {await self._complaint()}")
        return json.loads(line)

    async def rest(self, timeout_seconds: float = 60) -> list[dict[str, Any]]:
        """All lines from here until the client ends."""
        assert self._process.stdout is not None
        try:
            lines = await asyncio.wait_for(self._process.stdout.read(), timeout_seconds)
        except TimeoutError:
            self.kill()
            pytest.fail(f"The client did not end in {timeout_seconds} s. {await self._complaint()}")
        await self._process.wait()
        return [json.loads(line) for line in lines.splitlines()]

    @property
    def returncode(self) -> int | None:
        """The exit status, once `rest` has returned."""
        return self._process.returncode

    def kill(self) -> None:
        """End the client without a word to the server."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _complaint(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode(errors="replace")


@dataclass(frozen=True)
class NodeClients:
    """Starts the scripts of this folder."""

    node: Node

    @contextlib.asynccontextmanager
    async def start(
        self, script: str, *arguments: str, url: str, token: str | None = None
    ) -> AsyncIterator[NodeClient]:
        """Run a script against the server at `url`; it is ended with the block.

        For `watch_analysis.mjs` (argument: the analysis' id), `watch_mine.mjs` and `watch_events.mjs`
        (argument: the number to go on after). Their lines and options are described in client.mjs.
        """
        environment = self.node.environment() | {"FRAMEWISE_URL": url}
        environment.pop("FRAMEWISE_TOKEN", None)
        if token is not None:
            environment["FRAMEWISE_TOKEN"] = token
        process = await asyncio.create_subprocess_exec(
            self.node.node,
            CLIENTS / script,
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**24,
        )
        client = NodeClient(process)
        try:
            yield client
        finally:
            client.kill()
            await process.communicate()


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test here; fail it in CI, where everything has to be there."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def node_clients() -> NodeClients:
    """The JavaScript clients, their packages installed."""
    try:
        node = find_node()
    except BuildError as error:
        skip_or_fail(f"The JavaScript clients need Node. {error}")
    _install(node)
    return NodeClients(node)


def _install(node: Node) -> None:
    """`npm ci`, once for all test processes."""
    wanted = hashlib.sha256((CLIENTS / "package-lock.json").read_bytes()).hexdigest()
    marker = CLIENTS / "node_modules" / _INSTALLED_FROM
    descriptor = os.open(CLIENTS, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if marker.exists() and marker.read_text() == wanted:
            return
        finished = subprocess.run(
            [*node.npm, "ci", "--no-audit", "--no-fund"],
            cwd=CLIENTS,
            env=node.environment(),
            capture_output=True,
            text=True,
        )
        if finished.returncode:
            skip_or_fail(f"`npm ci` failed in tests/clients: {finished.stderr[-2000:]}")
        marker.write_text(wanted)
    finally:
        os.close(descriptor)
