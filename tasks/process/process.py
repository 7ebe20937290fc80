"""The worker's side of one analysis process."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.process.death import cause_of_death, out_of_memory
from tasks.process.errors import JobError, JobTimedOutError, ProcessDiedError
from tasks.process.limits import TimeLimit
from tasks.process.memory import data_bytes
from tasks.process.options import ProcessOptions
from tasks.process.output import ErrorOutput
from tasks.process.protocol import HEADER_PREFIX_BYTES, Message, ProtocolError, decode_header, header_length
from tasks.process.stop import STOP_SIGNAL, STOPPED, encode_stop
from tasks.process.wear import Wear

OnProgress = Callable[[dict[str, Any]], None]

STOP_SECONDS = 0.5
"""How long a process that is told to stop its job may take for it before it is ended."""

_LOOK_SECONDS = 0.1
"""Time between two looks at the limits and the memory of a process that works."""
_LONGEST_LOOK_SECONDS = 1.0
"""More is not reckoned: then the worker itself stood still."""
_LAST_BREATH_SECONDS = 5.0
_LAST_ANSWER_SECONDS = 0.2
_READ_AHEAD_BYTES = 2**20

_REPOSITORY = Path(__file__).resolve().parents[2]
_KEPT_ENVIRONMENT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "SSL_CERT_FILE",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "CUDA_VISIBLE_DEVICES",
)
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_NO_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1"}
"""onnxruntime 1.31 carries a client that tells its makers of its use, and writes a session file for it."""


def _ignore(_progress: dict[str, Any]) -> None:
    pass


@dataclass
class _Call:
    """A request on its way."""

    number: int
    request: Message
    on_progress: OnProgress
    answer: "asyncio.Future[Message | None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """None if the process ended instead."""
    running_seconds: float = 0.0
    stalled_seconds: float = 0.0
    data_bytes: int = 0


class _Pipes(asyncio.subprocess.SubprocessStreamProtocol):
    """The pipes of a process, and whether it has exited, however long others hold its pipes open."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit, loop)
        self.has_exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.has_exited.set()


class AnalysisProcess:
    """One analysis process; it answers one request at a time."""

    def __init__(
        self,
        transport: asyncio.SubprocessTransport,
        pipes: "_Pipes",
        options: ProcessOptions,
        stop_descriptor: int,
        error_descriptor: int,
    ) -> None:
        self._transport = transport
        self._pipes = pipes
        self._options = options
        self._stop_descriptor: int | None = stop_descriptor
        self._wear = Wear(self.pid, options)
        self._ran_out_of_memory = False
        self._is_connected = True
        self._is_ended_here = False
        self._fault: str | None = None
        self._count = 0
        self._call: _Call | None = None
        self._errors = ErrorOutput(self.pid, error_descriptor)
        loop = asyncio.get_running_loop()
        self._reading = loop.create_task(self._read_answers())
        self._ending = loop.create_task(self._close_after_end())

    @classmethod
    async def start(cls, options: ProcessOptions) -> "AnalysisProcess":
        """Start a process. Its environment holds nothing secret, and it inherits nothing but its pipes."""
        environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as its:
            stop_reader, stop_writer = os.pipe()
            its.callback(os.close, stop_reader)
            ours.callback(os.close, stop_writer)
            error_reader, error_writer = os.pipe()
            its.callback(os.close, error_writer)
            ours.callback(os.close, error_reader)
            os.set_blocking(stop_writer, False)
            child_options = {
                "memory_bytes": options.memory_bytes,
                "progress_interval_seconds": options.progress_interval_seconds,
                "network": options.network,
                "stop_descriptor": stop_reader,
            }
            loop = asyncio.get_running_loop()
            transport, pipes = await loop.subprocess_exec(
                lambda: _Pipes(limit=_READ_AHEAD_BYTES, loop=loop),
                sys.executable,
                "-m",
                "tasks.process.child",
                json.dumps(child_options),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=error_writer,
                pass_fds=(stop_reader,),
                cwd=_REPOSITORY,
                env={**environment, **_ONE_THREAD, **_NO_TELEMETRY},
                start_new_session=True,
            )
            ours.pop_all()
        return cls(transport, pipes, options, stop_writer, error_reader)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._transport.get_pid()

    @property
    def is_alive(self) -> bool:
        """Whether it runs and can be spoken to."""
        return self._is_connected and not self._is_ended_here and not self._pipes.has_exited.is_set()

    @property
    def is_idle(self) -> bool:
        """Whether it can take a request now."""
        return self.is_alive and (self._call is None or self._call.answer.done())

    def reason_to_replace(self) -> str | None:
        """Why it should take no further request although it could; None if it should."""
        return "it ran out of memory" if self._ran_out_of_memory else self._wear.reason()

    def on_end(self, callback: Callable[[], object]) -> None:
        """Have `callback` called as soon as the process has ended, or cannot be understood any more."""
        self._reading.add_done_callback(lambda _: callback())

    async def request(
        self, message: Message, on_progress: OnProgress = _ignore, limit: TimeLimit | None = None
    ) -> Message:
        """Send a request and wait for its answer.

        When the waiting task is cancelled, the job is stopped, and the process ended if that takes long.

        Args:
            message: The request.
            on_progress: Gets the values of each progress message.
            limit: How long it may take; for ever by default.

        Raises:
            JobError: The job failed, the process is well.
            JobTimedOutError: The limit was passed, and the process ended for it.
            ProcessDiedError: The process ended.
        """
        call = self._send(message, on_progress)
        try:
            answer = await self._watch(call, limit)
        except asyncio.CancelledError:
            await self._stop(call)
            raise
        if answer is None or answer.kind == STOPPED:
            raise await self._end_of(call)
        if answer.kind == "error":
            raise self._job_error(answer.values)
        return answer

    async def kill(self) -> None:
        """End the process now, whatever it does, and what it started."""
        self._is_ended_here = True
        if not self._ending.done():
            self._kill_group()
        await asyncio.shield(self._ending)
        self._errors.close()
        if self._stop_descriptor is not None:
            os.close(self._stop_descriptor)
            self._stop_descriptor = None

    def _send(self, message: Message, on_progress: OnProgress) -> _Call:
        stdin = self._pipes.stdin
        if stdin is None or not self.is_idle:
            raise ProcessDiedError("ended before it was asked", is_interruption=True)
        self._errors.forget()
        self._count += 1
        self._call = _Call(self._count, message, on_progress)
        stdin.write(message.encode())
        return self._call

    async def _watch(self, call: _Call, limit: TimeLimit | None) -> Message | None:
        """Wait for the answer, and look after memory and limits meanwhile."""
        looked_at = time.monotonic()
        while not (await asyncio.wait({call.answer}, timeout=_LOOK_SECONDS))[0]:
            now = time.monotonic()
            seconds = min(now - looked_at, _LONGEST_LOOK_SECONDS)
            looked_at = now
            call.running_seconds += seconds
            call.stalled_seconds += seconds
            call.data_bytes = data_bytes(self.pid) or call.data_bytes
            passed = limit.passed(call.running_seconds, call.stalled_seconds) if limit else None
            if passed is not None:
                await self.kill()
                raise JobTimedOutError(passed)
        return call.answer.result()

    async def _stop(self, call: _Call) -> None:
        """Have the job stopped. Afterwards the process is idle, or ended."""
        call.on_progress = _ignore
        if not call.answer.done() and self._ask_to_stop(call.number):
            await asyncio.wait({call.answer}, timeout=STOP_SECONDS)
        if not call.answer.done():
            await self.kill()

    def _ask_to_stop(self, number: int) -> bool:
        if self._stop_descriptor is None or not self.is_alive:
            return False
        try:
            os.write(self._stop_descriptor, encode_stop(number))
            os.kill(self.pid, STOP_SIGNAL)
        except OSError:
            return False
        return True

    async def _end_of(self, call: _Call) -> ProcessDiedError:
        """How the process ended. One that only closed its pipe, or talks nonsense, is ended."""
        was_ended_here = self._is_ended_here
        await asyncio.wait({self._ending}, timeout=_LAST_BREATH_SECONDS)
        code = self._transport.get_returncode()
        if code is None:
            await self.kill()
            return ProcessDiedError("stopped answering")
        if self._fault is not None:
            return ProcessDiedError(self._fault)
        if was_ended_here:
            return ProcessDiedError("was ended by its worker", is_interruption=True)
        return cause_of_death(
            code,
            limit_bytes=self._options.memory_bytes,
            data_bytes=call.data_bytes,
            last_words=self._errors.last_words(),
        )

    def _job_error(self, values: dict[str, Any]) -> JobError:
        kind, message = values["error"], values["message"]
        if kind == "MemoryError":
            message = out_of_memory(self._options.memory_bytes)
        return JobError(kind, values.get("bases", ()), message)

    def _kill_group(self) -> None:
        # Not SubprocessTransport.kill: it polls first, and the status it takes is lost to asyncio's watcher.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _close_after_end(self) -> None:
        await self._pipes.has_exited.wait()
        self._kill_group()  # what it started lives on in its group
        # Read what it still said, but not for ever: what it started may hold its pipes open.
        await asyncio.wait({self._reading}, timeout=_LAST_ANSWER_SECONDS)
        self._transport.close()
        await asyncio.wait({self._reading})

    async def _read_answers(self) -> None:
        try:
            while self._pipes.stdout is not None:
                self._take(await _read(self._pipes.stdout))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except ProtocolError as error:
            self._fault = f"sent what is no answer: {error}"
            self._kill_group()
        finally:
            self._is_connected = False
            if self._call is not None and not self._call.answer.done():
                self._call.answer.set_result(None)

    def _take(self, message: Message) -> None:
        call = self._call
        if call is None or call.answer.done():
            raise ProtocolError(f"{message.kind!r} without a request")
        if message.kind == "progress":
            call.stalled_seconds = 0.0
            call.on_progress(message.values)
            return
        self._ran_out_of_memory |= message.values.get("error") == "MemoryError"
        self._wear.note(call.request)
        call.answer.set_result(message)


async def _read(stream: asyncio.StreamReader) -> Message:
    header = await stream.readexactly(header_length(await stream.readexactly(HEADER_PREFIX_BYTES)))
    kind, values, sizes = decode_header(header)
    return Message(kind, values, [await stream.readexactly(size) for size in sizes])
