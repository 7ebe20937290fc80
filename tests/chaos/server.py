"""`framewise serve` as a process that can be killed and started again on the same folder and port."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.chaos.processes import Census, Kind, Process
from tests.e2e.server import NO_RATES

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


class ChaosServer:
    """A server with a census of all its processes.

    Args:
        directory: Its folder: `data`, `tmp` and `log` lie below it.
        settings: Settings by name, such as `slots=2`.
    """

    def __init__(self, directory: Path, **settings: object) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.data_dir = directory / "data"
        self.tmp_dir = directory / "tmp"
        self.log = directory / "log"
        self.tmp_dir.mkdir(exist_ok=True)
        self.settings = dict(settings)
        self.census = Census(f"={directory}/")
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def database_url(self) -> str:
        return str(self.settings.get("database_url") or f"sqlite://{self.data_dir / 'framewise.sqlite3'}")

    @property
    def valkey_url(self) -> str:
        return f"unix://{self.data_dir / 'valkey' / 'valkey.sock'}"

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("FRAMEWISE_", "REDIS_"))
        }
        environment |= {
            f"FRAMEWISE_{name.upper()}": str(value) for name, value in (NO_RATES | self.settings).items()
        }
        environment["TMPDIR"] = f"{self.tmp_dir}/"
        command = [sys.executable, "-m", "cli", "serve", "--port", str(self._port)]
        state = self.data_dir / "server.json"
        state.unlink(missing_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--data-dir", str(self.data_dir)], stdout=output, stderr=output, env=environment
            )
        self.census.roots = {self._process.pid}
        async with asyncio.timeout(_START_SECONDS):
            while not state.exists():
                if self._process.poll() is not None:
                    raise AssertionError(f"The server did not start:\n{self.log_end()}")
                await asyncio.sleep(0.05)
        self.census.look()

    def send(self, number: signal.Signals) -> bool:
        """Signal the supervisor; False when it does not run."""
        self.census.look()
        if not self.is_running or self._process is None:
            return False
        self._process.send_signal(number)
        return True

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def wait(self) -> None:
        """Wait until the supervisor has ended; one that does not is killed."""
        if self._process is None:
            return
        try:
            await asyncio.to_thread(self._process.wait, _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        self._process = None
        self.census.roots = set()

    async def stop(self) -> float:
        """Stop it in order; how many seconds that took."""
        began = time.monotonic()
        self.send(signal.SIGTERM)
        await self.wait()
        return time.monotonic() - began

    def log_end(self) -> str:
        """The last lines that it logged."""
        return self.log.read_text(errors="replace")[-4000:]

    def processes(self, kind: Kind) -> list[Process]:
        return self.census.of(kind)

    async def watch_processes(self) -> None:
        """Look at the processes again and again, so that none is missed."""
        while True:
            self.census.look()
            await asyncio.sleep(0.1)
