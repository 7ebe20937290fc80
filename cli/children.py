"""One child process of the supervisor: started, read, restarted when it dies, stopped."""

import asyncio
import logging
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cli.lifeline import tied_command

LineCallback = Callable[[str, str], None]
"""Called with a child's name and one line that it wrote."""
EventCallback = Callable[[str, str, int], None]
"""Called with a child's name, what happened to it, and how bad that is as a level of `logging`."""

_LONGEST_LINE_BYTES = 64 * 1024
_KEPT_LINES = 30


@dataclass(frozen=True)
class Backoff:
    """How long to wait before a child that died is started again.

    Args:
        first_seconds: The wait after the first death; each further one doubles it.
        longest_seconds: What it grows to.
        reset_seconds: A child that was ready for so long counts as healthy: its next wait is the first again.
    """

    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    reset_seconds: float = 5.0

    def wait_seconds(self, deaths: int) -> float:
        """The wait after `deaths` deaths in a row, at least one."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** min(deaths - 1, 64))


@dataclass(frozen=True)
class ChildSpec:
    """What to run.

    Args:
        name: What its lines and events are shown under.
        command: Program and arguments.
        environment: The whole environment of the process.
        inherited_fds: File descriptors that it gets, under their numbers.
        is_ready: Asked again and again after each start until it says yes.
        settle_seconds: How long it must have run to count as ready, where `is_ready` is not given.
        log_file: Where it writes its log, if not to its output; quoted when it cannot be started.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    inherited_fds: tuple[int, ...] = ()
    is_ready: Callable[[], Awaitable[bool]] | None = None
    settle_seconds: float = 0.0
    log_file: Path | None = None


@dataclass
class Child:
    """A process that is kept running by `keep`, or run once by `run_once`.

    Both must be called in the event loop of the main thread, see `cli.lifeline`.

    Args:
        spec: What to run.
        lifeline_fd: The reading end of the supervisor's lifeline pipe.
        on_line: Gets the lines it writes.
        on_event: Gets the sentences about its starts and ends.
        backoff: How long to wait before it is started again.
    """

    spec: ChildSpec
    lifeline_fd: int
    on_line: LineCallback
    on_event: EventCallback
    backoff: Backoff = field(default_factory=Backoff)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the process runs and has said that it is ready."""
    deaths_before_ready: int = 0
    """How often it ended before it was ready for the first time."""
    _last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    _process: subprocess.Popen[bytes] | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _ready_at: float | None = None
    """When it got ready after its last start."""
    _was_ready: bool = False
    """Whether it ever was."""

    def recent_output(self) -> list[str]:
        """The last lines it wrote, to its log file if it has one."""
        if self.spec.log_file is not None:
            with suppress(OSError):
                return self.spec.log_file.read_text(errors="replace").splitlines()[-_KEPT_LINES:]
        return list(self._last_lines)

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    async def keep(self) -> None:
        """Run it, and again whenever it ends, until `stop` or `kill`."""
        deaths = 0
        while not self._stopping.is_set():
            code = await self._run()
            if self._stopping.is_set():
                return
            if not self._was_ready:
                self.deaths_before_ready += 1
            deaths = 1 if self._was_healthy() else deaths + 1
            wait_seconds = self.backoff.wait_seconds(deaths)
            self.on_event(
                self.spec.name,
                f"ended ({_describe(code)}), starting it again in {wait_seconds:g} s",
                logging.WARNING,
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_seconds)

    def _was_healthy(self) -> bool:
        ready_at = self._ready_at
        return ready_at is not None and time.monotonic() - ready_at >= self.backoff.reset_seconds

    async def run_once(self) -> int:
        """Run it to its end and give its exit code, negative for a signal."""
        return await self._run()

    async def stop(self, grace_seconds: float) -> bool:
        """Ask it to end, then end it by force; whether it ended by itself."""
        self._stopping.set()
        process = self._process
        if process is None:
            return True
        with suppress(ProcessLookupError):
            process.terminate()
        ended = await _wait_until(lambda: process.returncode is not None, grace_seconds)
        if not ended:
            self.on_event(
                self.spec.name,
                f"did not stop within {grace_seconds:g} s, ending it by force",
                logging.WARNING,
            )
            self.kill()
            await _wait_until(lambda: process.returncode is not None, 1.0)
        return ended

    def kill(self) -> None:
        """End it and everything it started, at once."""
        self._stopping.set()
        if self._process is not None:
            _kill_group(self._process.pid)

    async def _run(self) -> int:
        self._ready_at = None
        process = self._start()
        self._process = process
        reading = asyncio.create_task(self._read_lines(process))
        waiting_ready = asyncio.create_task(self._wait_ready(time.monotonic()))
        try:
            code = await _wait_for_exit(process)
        except asyncio.CancelledError:
            _kill_group(process.pid)
            raise
        finally:
            self._process = None
            self.ready.clear()
            waiting_ready.cancel()
            # What it started shares its process group and must not live on without it; until then it may
            # hold the pipe open.
            _kill_group(process.pid)
            with suppress(TimeoutError):
                await asyncio.wait_for(reading, timeout=1.0)
        return code

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            tied_command(self.spec.command, self.lifeline_fd),
            env=dict(self.spec.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(self.lifeline_fd, *self.spec.inherited_fds),
            # Ctrl-C in the terminal must reach the supervisor only: it stops its children in order.
            start_new_session=True,
        )

    async def _wait_ready(self, started: float) -> None:
        if self.spec.is_ready is None:
            await asyncio.sleep(self.spec.settle_seconds)
        else:
            while not await self.spec.is_ready():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        self._was_ready = True
        self._ready_at = time.monotonic()
        self.ready.set()
        if self.spec.is_ready is not None:
            self.on_event(self.spec.name, f"ready after {time.monotonic() - started:.1f} s", logging.INFO)

    async def _read_lines(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), process.stdout
        )
        try:
            rest = b""
            while chunk := await reader.read(_LONGEST_LINE_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _LONGEST_LINE_BYTES:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._take_line(line)
            if rest:
                self._take_line(rest)
        finally:
            transport.close()

    def _take_line(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if not text:
            return
        self._last_lines.append(text)
        self.on_line(self.spec.name, text)


async def _wait_for_exit(process: subprocess.Popen[bytes]) -> int:
    # asyncio's own subprocesses count as running until nobody holds their pipe any more, which a grandchild
    # that outlives them may do for ever.
    loop = asyncio.get_running_loop()
    exited = asyncio.Event()

    def wait() -> None:
        process.wait()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(exited.set)

    threading.Thread(target=wait, name=f"wait-{process.pid}", daemon=True).start()
    await exited.wait()
    return process.returncode


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


async def _wait_until(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def _describe(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
