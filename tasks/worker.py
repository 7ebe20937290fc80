"""The worker: `framewise worker`, or `dramatiq tasks.worker` for those who run Dramatiq themselves."""

import asyncio
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine
from types import FrameType
from typing import Any

import dramatiq
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import Middleware

from domain.database import connect, disconnect
from domain.outages import database_outage, is_outage, through_outages
from domain.sql import fetch_rows
from ml_models.catalog import use_models_dir
from settings import Settings, get_settings
from storage.errors import StorageConfigurationError
from storage.factory import create_storage
from tasks.broker import QUEUE, make_broker
from tasks.doorbell import ring
from tasks.early import make_pool
from tasks.health import prepare_patiently, report_for_ever
from tasks.housekeeping import keep_house_for_ever
from tasks.importer import Importer
from tasks.process.pool import ProcessPool
from tasks.redis_clients import connect_redis
from tasks.runtime import Runtime
from tasks.scheduler import work_until_done
from tasks.sweeper import Sweeper

log = logging.getLogger(__name__)

POLL_MILLISECONDS = 30
"""Longest pause between two looks for messages: the most an idle slot sleeps through a ring."""

_RELEASE_SECONDS = 3.5
"""How long a worker that ends waits for its work to be given back; what was not is taken over by others."""
_SHUTDOWN_SECONDS = 6.0
_LAST_SECONDS = 9.0


class WorkerRuntime(Middleware):
    """Opens what work needs on the worker's event loop when it boots, and closes it when it ends.

    Booting waits for nothing: a database or storage that is away is waited for beside the loop, and messages
    wait with it. While Redis is away the worker rings for itself, for the work lies in the database.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        use_models_dir(settings.resolved_models_dir())
        self.pool: ProcessPool | None = None
        """Analysis processes that run already."""
        self.has_failed = False
        """Whether it ends because it cannot work as it is set up."""
        self._runtime: Runtime | None = None
        self._is_ready = asyncio.Event()
        self._background: list[asyncio.Task[None]] = []
        self._turns: set[asyncio.Task[Any]] = set()
        self._own_turns: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether it has booted."""
        return self._runtime is not None

    @property
    def runtime(self) -> Runtime:
        """The open runtime."""
        if self._runtime is None:
            raise RuntimeError("the worker has not booted")
        return self._runtime

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Open it; runs after the AsyncIO middleware has started the loop."""
        _on_loop(self._open())

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Give running work back, so that another worker goes on with it at once."""
        self.runtime.is_stopping = True
        _on_loop(self._stop())

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Close it; runs before the AsyncIO middleware stops the loop."""
        _on_loop(self._close())

    async def take_turn(self) -> None:
        """Somebody rang: do what there is to do."""
        task = asyncio.current_task()
        if task is None or self.runtime.is_stopping:
            return
        self._turns.add(task)
        try:
            await self._is_ready.wait()
            await work_until_done(self.runtime)
        except asyncio.CancelledError:
            if not self.runtime.is_stopping:
                raise
        except Exception as error:
            if not is_outage(error):
                raise
            database_outage.failed("work waits", error)
        finally:
            self._turns.discard(task)

    async def _open(self) -> None:
        settings = self._settings
        self._runtime = Runtime(
            settings=settings,
            storage=create_storage(settings.resolved_storage_url()),
            redis=connect_redis(settings.redis_url),
            pool=self.pool or make_pool(settings),
            ring=self._ring,
        )
        await connect(settings.resolved_database_url())
        self._start(self._get_ready(self._runtime))
        self._start(report_for_ever(self._runtime))

    async def _get_ready(self, runtime: Runtime) -> None:
        """Wait for the database and storage, then let work begin."""
        await through_outages(
            lambda: fetch_rows("SELECT 1 AS one"), patience_seconds=math.inf, what="the worker waits"
        )
        try:
            await prepare_patiently(runtime.storage)
        except StorageConfigurationError as error:
            log.critical("the worker cannot work: %s", error)
            self.has_failed = True
            os.kill(os.getpid(), signal.SIGTERM)
            return
        self._start(Sweeper(runtime).sweep_for_ever())
        self._start(keep_house_for_ever(runtime))
        self._start(Importer(runtime).import_for_ever())
        self._is_ready.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._background.append(asyncio.get_running_loop().create_task(work))

    async def _ring(self) -> None:
        """Wake a slot of any worker, or one of our own while nobody can be told."""
        if await ring() or len(self._own_turns) >= self._settings.slots:
            return
        turn = asyncio.get_running_loop().create_task(self.take_turn())
        self._own_turns.add(turn)
        turn.add_done_callback(self._end_own_turn)

    def _end_own_turn(self, turn: asyncio.Task[None]) -> None:
        self._own_turns.discard(turn)
        if not turn.cancelled() and (error := turn.exception()) is not None:
            log.error("A turn failed", exc_info=error)

    async def _stop(self) -> None:
        """End what waits at once, and what works when it had the time to give its work back."""
        for task in self._background:
            task.cancel()
        if not self._is_ready.is_set():
            self._cancel_turns()
        asyncio.get_running_loop().call_later(_RELEASE_SECONDS, self._cancel_turns)

    def _cancel_turns(self) -> None:
        for turn in self._turns:
            turn.cancel()

    async def _close(self) -> None:
        if self._own_turns:
            await asyncio.wait(self._own_turns, timeout=_RELEASE_SECONDS)
        self._cancel_turns()
        await asyncio.gather(*self._background, *self._own_turns, return_exceptions=True)
        runtime = self.runtime
        await runtime.pool.close()
        await runtime.redis.aclose()
        await runtime.storage.aclose()
        await disconnect()


def _on_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    event_loop_thread = get_event_loop_thread()
    if event_loop_thread is None:
        raise RuntimeError("the AsyncIO middleware has not started its loop")
    event_loop_thread.run_coroutine(coroutine)


_settings = get_settings()
_broker = make_broker(_settings.redis_url)
_worker_runtime = WorkerRuntime(_settings)
_broker.add_middleware(_worker_runtime)


@dramatiq.actor(queue_name=QUEUE)
async def work() -> None:
    """Somebody rang: do what there is to do."""
    await _worker_runtime.take_turn()


def run(slots: int | None = None, pool: ProcessPool | None = None) -> None:
    """Work until SIGTERM or SIGINT, then end this process: one thread a slot in it, pixels in others.

    Args:
        slots: Pieces of work at once; as the settings say if not given.
        pool: Analysis processes that `tasks.early` has started.
    """
    _worker_runtime.pool = pool
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    worker = dramatiq.Worker(
        _broker, worker_threads=slots or _settings.slots, worker_timeout=POLL_MILLISECONDS
    )
    worker.start()
    if not _worker_runtime.is_open:  # Dramatiq has logged why
        _end(1)
    # A thread of Dramatiq that is told to stop before it runs does not stop.
    threads: list[Any] = [*worker.workers, *worker.consumers.values()]
    while not all(thread.running for thread in threads):
        time.sleep(0.01)
    log.info("worker ready: %d slots", slots or _settings.slots)
    stop.wait()
    watchdog = threading.Timer(_LAST_SECONDS, _end_late)
    watchdog.daemon = True
    watchdog.start()
    worker.stop(timeout=int(_SHUTDOWN_SECONDS * 1000))
    _end(int(_worker_runtime.has_failed))


def _end_late() -> None:
    log.warning("the worker did not end in time: others take over what it did not give back")
    _end(int(_worker_runtime.has_failed))


def _end(code: int) -> None:
    # Not by the end of the program: a thread that downloads weights or waits for a lock would be waited for.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
