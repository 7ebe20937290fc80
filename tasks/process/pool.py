"""The worker's side: a pool of warm, disposable analysis processes."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from tasks.process.protocol import HEADER_PREFIX_BYTES, Message, ProtocolError, decode_header, header_length

log = logging.getLogger(__name__)

OnProgress = Callable[[dict[str, Any]], None]

_LAST_BREATH_SECONDS = 5.0

_REPOSITORY = Path(__file__).resolve().parents[2]
_KEPT_ENVIRONMENT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SSL_CERT_FILE",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
)
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def _ignore(_progress: dict[str, Any]) -> None:
    pass


class ProcessDiedError(Exception):
    """Raised when an analysis process ended instead of answering; the message says how."""


class JobError(Exception):
    """Raised when the process answered with an error.

    Attributes:
        kind: Class name of what was raised there.
        kinds: The same with its base classes, nearest first.
    """

    def __init__(self, kind: str, kinds: Sequence[str], message: str) -> None:
        super().__init__(message or kind)
        self.kind = kind
        self.kinds = tuple(kinds)


class AnalysisProcess:
    """One analysis process; it answers one request at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, memory_bytes: int, progress_interval_seconds: float) -> "AnalysisProcess":
        """Start a process. Its environment holds nothing secret."""
        environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tasks.process.child",
            str(memory_bytes),
            str(progress_interval_seconds),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=_REPOSITORY,
            env={**environment, **_ONE_THREAD},
            start_new_session=True,
            limit=2**20,
        )
        return cls(process)

    @property
    def is_alive(self) -> bool:
        """Whether it can take a request."""
        return self._process.returncode is None

    async def request(self, message: Message, on_progress: OnProgress = _ignore) -> Message:
        """Send a request and wait for its answer; `on_progress` gets the values of each progress message.

        Raises:
            JobError: the job failed, the process is well.
            ProcessDiedError: the process ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ProcessDiedError("it was started without pipes")
        try:
            stdin.write(message.encode())
            await stdin.drain()
            while (answer := await _read(stdout)).kind == "progress":
                on_progress(answer.values)
        except (ConnectionError, asyncio.IncompleteReadError, ProtocolError) as error:
            raise ProcessDiedError(await self._cause_of_death()) from error
        if answer.kind == "error":
            values = answer.values
            raise JobError(values["error"], values.get("bases", ()), values["message"])
        return answer

    async def kill(self) -> None:
        """End the process now, whatever it does."""
        if self.is_alive:
            # Not Process.kill: it polls first, and the exit status it takes is lost to asyncio's watcher.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def _cause_of_death(self) -> str:
        """How the process ended; one that only closed its pipe is ended."""
        try:
            code = await asyncio.wait_for(self._process.wait(), _LAST_BREATH_SECONDS)
        except TimeoutError:
            await self.kill()
            return "its process stopped answering"
        if code < 0:
            return f"its process was ended by signal {-code} ({signal.Signals(-code).name})"
        return f"its process ended with exit code {code}"


async def _read(stream: asyncio.StreamReader) -> Message:
    header = await stream.readexactly(header_length(await stream.readexactly(HEADER_PREFIX_BYTES)))
    kind, values, sizes = decode_header(header)
    return Message(kind, values, [await stream.readexactly(size) for size in sizes])


class ProcessPool:
    """As many analysis processes as slots, each started before it is needed and replaced when it ends."""

    def __init__(self, size: int, memory_bytes: int, progress_interval_seconds: float) -> None:
        self._memory_bytes = memory_bytes
        self._progress_interval_seconds = progress_interval_seconds
        self._size = size
        self._idle: asyncio.LifoQueue[AnalysisProcess] = asyncio.LifoQueue()
        self._all: set[AnalysisProcess] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Start the processes, without waiting for them."""
        for _ in range(self._size):
            self._replace()

    @property
    def has_idle(self) -> bool:
        """Whether a process waits for work."""
        return not self._idle.empty()

    async def close(self) -> None:
        """End every process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(process.kill() for process in self._all))
        self._all.clear()

    @contextlib.asynccontextmanager
    async def process(self) -> AsyncIterator[AnalysisProcess]:
        """A process for one request; when the request did not come to its end, the process is ended."""
        process = await self._idle.get()
        is_clean = False
        try:
            if not process.is_alive:
                await self._discard(process)
                process = await self._idle.get()
            yield process
            is_clean = True
        except JobError:
            is_clean = True
            raise
        finally:
            if is_clean and process.is_alive:
                self._idle.put_nowait(process)
            else:
                await asyncio.shield(self._discard(process))

    async def _discard(self, process: AnalysisProcess) -> None:
        self._all.discard(process)
        self._replace()
        await process.kill()

    def _replace(self) -> None:
        task = asyncio.get_running_loop().create_task(self._start())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self) -> None:
        process = await AnalysisProcess.start(self._memory_bytes, self._progress_interval_seconds)
        self._all.add(process)
        try:
            await process.request(Message("warm"))
        except ProcessDiedError:
            log.exception("an analysis process died while it started")
            self._all.discard(process)
            await asyncio.sleep(1)
            self._replace()
            return
        self._idle.put_nowait(process)
