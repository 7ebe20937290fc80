"""How workers and their storage are: what `/healthz` tells, and what work waits for."""

import asyncio
import os
import socket
import time
from dataclasses import asdict, dataclass
from weakref import WeakKeyDictionary

import orjson
from redis.asyncio import Redis

from domain.holders import is_dead, this_process
from domain.outages import OutageLog
from storage.base import AbstractStorage
from storage.errors import StorageError, StorageFullError, StorageUnavailableError
from tasks.redis_clients import try_redis
from tasks.runtime import Runtime

WORKER_PREFIX = "framewise:worker:"
"""Redis key of a worker that lives: this prefix and its name; the key vanishes soon after the worker."""

REPORT_SECONDS = 2.0
_LIFE_SECONDS = 10

_STORAGE_SECONDS = 1.5
_TRUST_SECONDS = 10.0
"""How long a server that cannot say how full it is counts as answering after it did."""

storage_outage = OutageLog("storage")

_answered_at: WeakKeyDictionary[AbstractStorage, float] = WeakKeyDictionary()


@dataclass(frozen=True)
class WorkerState:
    """What a worker tells of itself."""

    host: str
    pid: int
    slots: int
    busy: int
    """Slots that work."""
    problem: str | None
    """Why it waits although there may be work."""


async def storage_problem(storage: AbstractStorage, min_free_bytes: int) -> str | None:
    """Why nothing should be stored now; None if all is well."""
    if time.monotonic() - _answered_at.get(storage, -_TRUST_SECONDS) < _TRUST_SECONDS:
        return None
    try:
        async with asyncio.timeout(_STORAGE_SECONDS):
            free_bytes = await storage.free_bytes()
    except (StorageError, TimeoutError) as error:
        storage_outage.failed("nothing can be stored", error)
        return "storage does not answer"
    storage_outage.answered()
    if free_bytes is None:
        _answered_at[storage] = time.monotonic()
    elif free_bytes < min_free_bytes:
        return (
            f"the disk is full: {free_bytes // 2**20} MiB are free, {min_free_bytes // 2**20} MiB must be "
            "(limit: min_free_bytes)"
        )
    return None


async def prepare_patiently(storage: AbstractStorage) -> None:
    """Make storage ready, however long it is away or full.

    Raises:
        StorageConfigurationError: It cannot be used, and waiting will not help.
    """
    while True:
        try:
            await storage.prepare()
        except (StorageUnavailableError, StorageFullError) as error:
            storage_outage.failed("nothing can be stored", error)
            await asyncio.sleep(1)
        else:
            storage_outage.answered()
            return


async def report_for_ever(runtime: Runtime) -> None:
    """Say every `REPORT_SECONDS` that this worker lives, and how it is; cancelled, that it ends."""
    key = WORKER_PREFIX + this_process()
    try:
        while True:
            state = orjson.dumps(asdict(_state(runtime)))
            await try_redis("workers are not seen", lambda: runtime.redis.set(key, state, ex=_LIFE_SECONDS))  # noqa: B023
            await asyncio.sleep(REPORT_SECONDS)
    finally:
        await try_redis("workers are not seen", lambda: runtime.redis.delete(key))


def _state(runtime: Runtime) -> WorkerState:
    return WorkerState(
        host=socket.gethostname(),
        pid=os.getpid(),
        slots=runtime.settings.slots,
        busy=runtime.pool.busy,
        problem=runtime.problem,
    )


async def living_workers(redis: Redis) -> list[WorkerState]:
    """The workers that reported in the last ten seconds, but for those known to have ended."""
    found = [key async for key in redis.scan_iter(match=f"{WORKER_PREFIX}*", count=1000)]
    keys = [key for key in found if not is_dead(key.decode().removeprefix(WORKER_PREFIX))]
    values = await redis.mget(keys) if keys else []
    return [WorkerState(**orjson.loads(value)) for value in values if value is not None]
