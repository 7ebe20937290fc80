"""The API process under attack, and whether an attack did it any harm."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attacks.size import IS_FULL
from tests.cli.processes import PATIENCE_SECONDS, REPOSITORY
from tests.e2e.server import NO_RATES, PASSWORD

BLOCKED_SECONDS = 0.05
"""For so long at most the loop may be busy without a turn for the others."""

REFERENCE_SECONDS = 0.0055
"""What the meter's piece of work takes on a machine for which the limit holds as it is; on a slower one, the
limit grows with it."""

MARGIN = 1.5 if IS_FULL else 6.0
"""CPU time is not exact either: neighbours on the same core take its caches, and a turn is measured up to the
next tick of the meter. Beside other tests it is far from exact; what has no limit takes seconds there."""

GROWN_BYTES = 160 * 2**20
"""By so much memory may grow: the documents that are kept for the next time, and what malloc keeps."""

_TOLERANCE = 12


@dataclass
class Verdict:
    """What one attack did."""

    name: str
    loop: dict[str, Any] = field(default_factory=dict)
    bystander: dict[str, Any] = field(default_factory=dict)
    grown_bytes: int = 0
    seconds: float = 0.0

    @property
    def limit_seconds(self) -> float:
        """How long the loop may be blocked on this machine."""
        slowness = max(1.0, self.loop["calibration_seconds"] / REFERENCE_SECONDS)
        return BLOCKED_SECONDS * slowness * MARGIN

    def row(self) -> str:
        """A line of the table of results."""
        return (
            f"{self.name:<44} {self.loop['worst_cpu_seconds'] * 1e3:7.1f} {self.bystander['p50_seconds'] * 1e3:7.1f}"
            f" {self.bystander['p99_seconds'] * 1e3:7.1f} {self.bystander['max_seconds'] * 1e3:7.1f}"
            f" {self.bystander['count']:6d} {self.grown_bytes / 2**20:7.1f} {self.seconds:6.1f}"
        )


HEADINGS = (
    f"{'attack':<44} {'block':>7} {'p50':>7} {'p99':>7} {'max':>7} {'asked':>6} {'MiB':>7} {'s':>6}"
    "   (block: CPU ms of the loop's worst turn; p50, p99, max: ms of a normal query)"
)


class Target:
    """A running API process that is measured.

    Args:
        directory: For its data and its log.
        redis_url: Of a running Valkey.
        descriptors: How many the process may have.
        settings: More settings.
    """

    def __init__(self, directory: Path, redis_url: str, *, descriptors: int = 1024, **settings: Any) -> None:
        self.data_dir = directory
        self.descriptors = descriptors
        self.verdicts: list[Verdict] = []
        self._redis_url = redis_url
        self._settings = settings
        self.host = "127.0.0.1"
        self.token = ""

    def start(self) -> None:
        listener = socket.create_server((self.host, 0), backlog=2048)
        self.port: int = listener.getsockname()[1]
        self._control, theirs = socket.socketpair()
        self._answers = self._control.makefile("r")
        subprocess.run(
            [sys.executable, "-m", "cli", "migrate"],
            check=True, cwd=REPOSITORY, env=self._environment(), stdout=subprocess.DEVNULL,
        )  # fmt: skip
        command = [
            sys.executable,
            "-m",
            "tests.attacks.measured_api",
            str(theirs.fileno()),
            str(self.descriptors),
        ]
        command += ["api", "--listen-fd", str(listener.fileno())]
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                command, pass_fds=(theirs.fileno(), listener.fileno()), cwd=REPOSITORY, env=self._environment(),
                stdout=log, stderr=log,
            )  # fmt: skip
        listener.close()
        theirs.close()
        self._sign_up()
        command = [sys.executable, "-m", "tests.attacks.bystander", self.host, str(self.port), self.token]
        self._bystander = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def stop(self) -> None:
        for process in (getattr(self, "_bystander", None), getattr(self, "process", None)):
            if process is not None:
                process.kill()
                process.communicate()
        self._answers.close()
        self._control.close()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://{self.host}:{self.port}/graphql"

    @property
    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    @property
    def _log_path(self) -> Path:
        return self.data_dir / "log"

    def _environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWISE_")}
        settings = {**NO_RATES, "data_dir": self.data_dir, "redis_url": self._redis_url, **self._settings}
        return environment | {f"FRAMEWISE_{name.upper()}": str(value) for name, value in settings.items()}

    def _sign_up(self) -> None:
        import httpx

        query = "mutation($input: SignUpInput!) { signUp(input: $input) { session { accessToken } } }"
        variables = {"input": {"username": "bystander", "password": PASSWORD}}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert self.process.poll() is None, self.log
            try:
                answer = httpx.post(
                    f"{self.url}/graphql",
                    json={"query": query, "variables": variables},
                    timeout=PATIENCE_SECONDS,
                ).json()
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline, self.log
                time.sleep(0.1)
        self.token = answer["data"]["signUp"]["session"]["accessToken"]

    def ask_meter(self, command: str) -> dict[str, Any]:
        """`reset` (what was measured until now), `report` or `holdings`, which stops the process for a while."""
        self._control.sendall(command.encode() + b"\n")
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer

    def ask_bystander(self) -> dict[str, Any]:
        """What the normal queries since the last call met with."""
        assert self._bystander.stdin is not None
        assert self._bystander.stdout is not None
        self._bystander.stdin.write("\n")
        self._bystander.stdin.flush()
        answer: dict[str, Any] = json.loads(self._bystander.stdout.readline())
        return answer

    def stray_files(self) -> set[str]:
        """Files of the storage."""
        return {str(path) for path in (self.data_dir / "files").rglob("*") if path.is_file()}

    @asynccontextmanager
    async def under_attack(
        self, name: str, *, keeps_files: bool = False, grown_bytes: int = GROWN_BYTES
    ) -> AsyncIterator[Verdict]:
        """Measure what is done in this block; afterwards nothing may be left of it, and nobody harmed.

        Args:
            name: For the table.
            keeps_files: Whether files may be left.
            grown_bytes: By so much memory may grow.
        """
        before, files, log_begins = self.ask_meter("holdings"), self.stray_files(), len(self.log)
        verdict = Verdict(name)
        await self._first_answers()
        self.ask_meter("reset")
        self.ask_bystander()
        began = time.monotonic()
        yield verdict
        await asyncio.sleep(0.1)
        verdict.seconds = time.monotonic() - began
        verdict.loop = self.ask_meter("report")
        verdict.bystander = await self._counted()
        after = await self._settled(before)
        verdict.grown_bytes = after["resident_bytes"] - before["resident_bytes"]
        self.verdicts.append(verdict)
        sys.stdout.write(f"{verdict.row()}\n")
        self._judge(verdict, self.log[log_begins:])
        assert not _leaks(before, after), _leaks(before, after)
        assert verdict.grown_bytes <= grown_bytes, f"memory grew by {verdict.grown_bytes} bytes"
        if not keeps_files:
            await self._files_gone(files)

    async def _first_answers(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.ask_bystander()["count"]:
                await asyncio.sleep(0.05)

    async def _counted(self) -> dict[str, Any]:
        """The bystander's count, with at least one query that was asked in the attack or right after it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (found := self.ask_bystander())["count"]:
                assert not found["wrong"], found
                assert self.process.poll() is None, self.log
                await asyncio.sleep(0.05)
        return found

    def _judge(self, verdict: Verdict, log: str) -> None:
        assert self.process.poll() is None, log
        assert not verdict.bystander["wrong"], verdict.bystander
        assert not [status for status in verdict.loop["statuses"] if int(status) == 500], log[-5000:]
        for word in ("Traceback", "Exception in", "never retrieved", "never awaited"):
            assert word not in log, log[max(0, log.index(word) - 1000) :][:5000]
        blocked = verdict.loop["worst_cpu_seconds"]
        assert blocked <= verdict.limit_seconds, (blocked, verdict.limit_seconds, verdict.loop)

    async def _settled(self, before: dict[str, Any]) -> dict[str, Any]:
        """What the process holds when it holds no more than before, or when patience ends."""
        deadline = time.monotonic() + (PATIENCE_SECONDS if IS_FULL else 40)
        while True:
            after = self.ask_meter("holdings")
            if not _leaks(before, after) or time.monotonic() > deadline:
                return after
            await asyncio.sleep(0.3)

    async def _files_gone(self, files: set[str]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while left := self.stray_files() - files:
                assert time.monotonic(), left
                await asyncio.sleep(0.1)


def _leaks(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[int, int]]:
    pairs = {name: (before[name], after[name]) for name in ("descriptors", "tasks")}
    pairs |= {name: (before["objects"].get(name, 0), count) for name, count in after["objects"].items()}
    return {name: (old, new) for name, (old, new) in pairs.items() if new > old + _TOLERANCE}


@contextmanager
def running_target(directory: Path, redis_url: str, **options: Any) -> Iterator[Target]:
    """A target that runs until the block ends."""
    target = Target(directory, redis_url, **options)
    target.start()
    try:
        yield target
    finally:
        target.stop()
        if target.verdicts:
            sys.stdout.write("\n".join(["", HEADINGS, *(verdict.row() for verdict in target.verdicts), ""]))
