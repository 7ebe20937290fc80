"""The worker: `framewise worker`, or `dramatiq tasks.worker` for those who run Dramatiq themselves."""

import asyncio
import logging
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any

import dramatiq
import redis.asyncio
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import Middleware

from domain.database import connect, disconnect
from settings import Settings, get_settings
from storage.factory import create_storage
from tasks.broker import QUEUE, make_broker
from tasks.doorbell import ring
from tasks.housekeeping import keep_house_for_ever
from tasks.process.pool import ProcessPool
from tasks.runtime import Runtime
from tasks.scheduler import sweep_for_ever, work_until_done

log = logging.getLogger(__name__)

POLL_MILLISECONDS = 100
"""Longest pause between two looks for messages: the most an idle slot sleeps through a ring."""

_SHUTDOWN_SECONDS = 8.0


class WorkerRuntime(Middleware):
    """Opens what work needs on the worker's event loop when it boots, and closes it when it ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runtime: Runtime | None = None
        self._background: list[asyncio.Task[None]] = []

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

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Close it; runs before the AsyncIO middleware stops the loop."""
        _on_loop(self._close())

    async def _open(self) -> None:
        settings = self._settings
        await connect(settings.resolved_database_url())
        storage = create_storage(settings.resolved_storage_url())
        await storage.prepare()
        pool = ProcessPool(
            settings.slots, settings.analysis_process_memory_bytes, settings.progress_interval_seconds
        )
        pool.open()
        self._runtime = Runtime(
            settings=settings,
            storage=storage,
            redis=redis.asyncio.Redis.from_url(settings.redis_url),
            pool=pool,
            ring=ring,
        )
        loop = asyncio.get_running_loop()
        self._background = [
            loop.create_task(sweep_for_ever(self._runtime)),
            loop.create_task(keep_house_for_ever(self._runtime)),
        ]

    async def _close(self) -> None:
        for task in self._background:
            task.cancel()
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
    await work_until_done(_worker_runtime.runtime)


def run(slots: int | None = None) -> None:
    """Work until SIGTERM or SIGINT: one thread a slot in this process, pixels in others."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    worker = dramatiq.Worker(
        _broker, worker_threads=slots or _settings.slots, worker_timeout=POLL_MILLISECONDS
    )
    worker.start()
    log.info("worker ready: %d slots", slots or _settings.slots)
    stop.wait()
    worker.stop(timeout=int(_SHUTDOWN_SECONDS * 1000))


if __name__ == "__main__":
    run()
