"""The application that faces the network."""

import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import redis.asyncio
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from tortoise.exceptions import BaseORMException

from domain.accounts.tokens import load_or_create_secret
from domain.database import connect, disconnect
from domain.sql import fetch_rows
from graphql_api.context import AppState
from graphql_api.files import files_route
from graphql_api.headers import SecurityHeaders
from graphql_api.http import GraphQLEndpoint
from graphql_api.progress_hub import ProgressHub
from graphql_api.schema import make_schema
from settings import Settings, get_settings
from storage.factory import create_storage
from tasks.broker import make_broker

log = logging.getLogger(__name__)

WEB_DIST = Path(__file__).resolve().parent.parent / "web" / "dist"


def create_app(settings: Settings | None = None) -> Starlette:
    """The ASGI application; its connections are opened when it starts and closed when it ends."""
    state = _make_state(settings or get_settings())
    endpoint = GraphQLEndpoint(
        make_schema(state.settings.max_query_tokens),
        lambda: state,
        graphiql_page=WEB_DIST / "graphiql.html",
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with _opened(state):
            yield

    async def healthz(_request: Request) -> JSONResponse:
        return await _health(state)

    routes: list[BaseRoute] = [
        Route("/", lambda _request: RedirectResponse("/graphql")),
        Route("/graphql", endpoint),
        WebSocketRoute("/graphql", endpoint),
        Route("/healthz", healthz),
        files_route(state.storage, state.secret),
        # The page may be built while we run: the folder need not be there yet.
        Mount("/static", StaticFiles(directory=WEB_DIST, check_dir=False)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(SecurityHeaders)], lifespan=lifespan)


def _make_state(settings: Settings) -> AppState:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    make_broker(settings.redis_url)
    client = redis.asyncio.Redis.from_url(settings.redis_url)
    return AppState(
        settings=settings,
        secret=load_or_create_secret(settings.data_dir),
        storage=create_storage(settings.resolved_storage_url()),
        redis=client,
        progress_hub=ProgressHub(client),
    )


@contextlib.asynccontextmanager
async def _opened(state: AppState) -> AsyncIterator[None]:
    await connect(state.settings.resolved_database_url())
    try:
        await state.storage.prepare()
        state.progress_hub.open()
        yield
    finally:
        await state.progress_hub.close()
        await state.redis.aclose()
        await state.storage.aclose()
        await disconnect()


async def _health(state: AppState) -> JSONResponse:
    """200 when database and Redis answer, else 503 with what does not."""
    problems = {}
    try:
        await fetch_rows("SELECT 1 AS one")
    except (BaseORMException, OSError) as error:
        log.warning("the database does not answer: %s", error)
        problems["database"] = "does not answer"
    try:
        await state.redis.ping()
    except (RedisError, OSError) as error:
        log.warning("Redis does not answer: %s", error)
        problems["redis"] = "does not answer"
    status = "unavailable" if problems else "ok"
    return JSONResponse({"status": status, **problems}, status_code=503 if problems else 200)
