"""`/healthz`: whether this server can answer, and whether work goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from domain.outages import OutageLog, database_outage, is_outage
from domain.sql import fetch_rows
from graphql_api.context import AppState
from tasks.health import WorkerState, living_workers, storage_problem
from tasks.redis_clients import REDIS_ERRORS, redis_outage

_PATIENCE_SECONDS = 1.5


def health_route(state: AppState) -> Route:
    """The route `/healthz`.

    It answers 503 without database or Redis. Else it answers 200: `ok`, or `degraded` where storage is full
    or away, where no worker lives, or where one waits.
    """
    asked: asyncio.Task[tuple[dict[str, Any], int]] | None = None

    async def healthz(_request: Request) -> JSONResponse:
        # Nobody is signed in here: however many ask, the others are asked once at a time.
        nonlocal asked
        if asked is None or asked.done():
            asked = asyncio.create_task(_health(state))
        content, status = await asyncio.shield(asked)
        return JSONResponse(content, status)

    return Route("/healthz", healthz)


async def _health(state: AppState) -> tuple[dict[str, Any], int]:
    workers: list[WorkerState] = []

    async def ask_redis() -> None:
        workers.extend(await living_workers(state.redis))

    database, redis, storage = await asyncio.gather(
        _state_of(database_outage, partial(fetch_rows, "SELECT 1 AS one")),
        _state_of(redis_outage, ask_redis),
        storage_problem(state.storage, state.settings.min_free_bytes),
    )
    problems = sorted({worker.problem for worker in workers if worker.problem is not None})
    is_available = database == redis == "ok"
    is_well = storage is None and workers and not problems
    content: dict[str, Any] = {
        "status": "unavailable" if not is_available else "ok" if is_well else "degraded",
        "database": database,
        "redis": redis,
        "storage": storage or "ok",
        "workers": len(workers),
    }
    if problems:
        content["problems"] = problems
    return content, 200 if is_available else 503


async def _state_of(outage: OutageLog, ask: Callable[[], Awaitable[object]]) -> str:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await ask()
    except Exception as error:
        if not (isinstance(error, REDIS_ERRORS) or is_outage(error)):
            raise
        outage.failed("/healthz", error)
        return "does not answer"
    outage.answered()
    return "ok"
