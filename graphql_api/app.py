"""The application that faces the network."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from domain.accounts.tokens import load_or_create_secret
from domain.database import connect, disconnect
from graphql_api.context import AppState
from graphql_api.http.cors import cross_origin_middleware
from graphql_api.http.cut_off import AnswersWhatIsCutOff
from graphql_api.http.endpoint import GraphQLEndpoint
from graphql_api.http.files import files_route
from graphql_api.http.headers import SecurityHeaders
from graphql_api.http.health import health_route
from graphql_api.http.links import find_target
from graphql_api.http.static_files import BuiltFiles
from graphql_api.live.progress_hub import ProgressHub
from graphql_api.people.exports import exports_route
from graphql_api.schema import make_server_schema
from graphql_api.uploads.resumable.endpoint import upload_routes
from ml_models.catalog import use_models_dir
from settings import Settings, get_settings
from storage.factory import create_storage
from tasks.broker import make_broker
from tasks.health import prepare_patiently
from tasks.redis_clients import connect_redis

log = logging.getLogger(__name__)

_PREPARATION_SECONDS = 3.0
"""How long the start waits for storage, so that a wrong setting ends it."""

WEB_DIST = Path(__file__).resolve().parent.parent / "web" / "dist"


def create_app(settings: Settings | None = None) -> Starlette:
    """The ASGI application; its connections are opened when it starts and closed when it ends."""
    state = _make_state(settings or get_settings())
    endpoint = GraphQLEndpoint(
        make_server_schema(state.settings),
        lambda: state,
        graphiql_page=WEB_DIST / "graphiql.html",
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with _opened(state):
            yield

    routes: list[BaseRoute] = [
        Route("/", lambda _request: RedirectResponse("/graphql")),
        Route("/graphql", endpoint),
        WebSocketRoute("/graphql", endpoint),
        health_route(state),
        files_route(state.storage, state.secret, find_target),
        exports_route(state.storage, state.secret),
        *upload_routes(state),
        # The page may be built while we run: the folder need not be there yet.
        Mount("/static", BuiltFiles(directory=WEB_DIST, check_dir=False)),
    ]
    middleware = [
        Middleware(SecurityHeaders),
        *cross_origin_middleware(state.settings),
        Middleware(AnswersWhatIsCutOff),
    ]
    return Starlette(routes=routes, middleware=middleware, lifespan=lifespan)


def _make_state(settings: Settings) -> AppState:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    use_models_dir(settings.resolved_models_dir())
    make_broker(settings.redis_url)
    client = connect_redis(settings.redis_url)
    return AppState(
        settings=settings,
        secret=load_or_create_secret(settings.data_dir),
        storage=create_storage(settings.resolved_storage_url()),
        redis=client,
        progress_hub=ProgressHub(client),
    )


def _say_why_it_failed(preparation: asyncio.Task[None]) -> None:
    if not preparation.cancelled() and (error := preparation.exception()) is not None:
        log.error("Storage cannot be used: %s", error)


@contextlib.asynccontextmanager
async def _opened(state: AppState) -> AsyncIterator[None]:
    """Open what is there; what is away is waited for beside the requests, which are refused meanwhile."""
    await connect(state.settings.resolved_database_url())
    preparation = asyncio.create_task(prepare_patiently(state.storage))
    preparation.add_done_callback(_say_why_it_failed)
    try:
        await asyncio.wait({preparation}, timeout=_PREPARATION_SECONDS)
        if preparation.done():
            preparation.result()
        state.progress_hub.open()
        yield
    finally:
        preparation.cancel()
        await asyncio.gather(preparation, return_exceptions=True)
        await state.photo_search.close()
        await state.progress_hub.close()
        await state.event_hub.close()
        await state.redis.aclose()
        await state.storage.aclose()
        await disconnect()
