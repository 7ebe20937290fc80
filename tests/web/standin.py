"""A stand-in for the API: the built page under a strict policy, and a small real GraphQL server behind it.

It has the names that the page and the clients use (accounts, `mlModels`, the two progress subscriptions) and
keeps accounts in memory. Access tokens live as long as the test says; a subscription ends with its token, a
refresh token works once, and using an old one ends the session, as in Framewise.
"""

import asyncio
import contextlib
import secrets
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.asgi import GraphQL
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The least the page needs: Monaco writes style elements; fonts and icons lie inside style sheets."""

FRAMES = 5


@dataclass
class Accounts:
    """Everything the stand-in remembers."""

    access_token_seconds: float = 900
    tick_seconds: float = 0.1
    passwords: dict[str, str] = field(default_factory=dict)
    access: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def issue(self, username: str) -> "SessionPayload":
        expires_at = datetime.now(UTC) + timedelta(seconds=self.access_token_seconds)
        access, refresh = secrets.token_hex(8), secrets.token_hex(8)
        self.access[access] = (username, expires_at)
        self.refresh[refresh] = username
        session = Session(
            access_token=access,
            access_token_expires_at=expires_at,
            refresh_token=refresh,
            user=User(username=username),
        )
        return SessionPayload(session=session)

    def rotate(self, refresh_token: str) -> "SessionPayload":
        username = self.refresh.pop(refresh_token, None)
        if username is None:
            if refresh_token in self.used:
                self.end(self.used[refresh_token])
            return refuse("WRONG_CREDENTIALS", "This session has ended.")
        self.used[refresh_token] = username
        return self.issue(username)

    def end(self, username: str) -> None:
        self.refresh = {token: owner for token, owner in self.refresh.items() if owner != username}
        self.access = {token: held for token, held in self.access.items() if held[0] != username}


def refuse(code: str, message: str) -> "SessionPayload":
    return SessionPayload(session=None, user_errors=[UserError(code=code, message=message, path=[])])


def viewer(info: strawberry.Info) -> tuple[str, datetime]:
    """Who asks, and until when the token is good."""
    request: HTTPConnection = info.context["request"]
    given = request.headers.get("authorization")
    if given is None:
        parameters = info.context.get("connection_params") or {}
        given = next(
            (str(value) for name, value in parameters.items() if name.lower() == "authorization"), ""
        )
    accounts: Accounts = request.app.state.accounts
    held = accounts.access.get(given.removeprefix("Bearer "))
    if held is None or held[1] <= datetime.now(UTC):
        raise GraphQLError("You are not signed in.", extensions={"code": "UNAUTHENTICATED"})
    return held


def accounts_of(info: strawberry.Info) -> Accounts:
    accounts: Accounts = info.context["request"].app.state.accounts
    accounts.calls.append(info.field_name)
    return accounts


@strawberry.type
class UserError:
    code: str
    message: str
    path: list[str]


@strawberry.type
class User:
    username: str


@strawberry.type
class Session:
    access_token: str
    access_token_expires_at: datetime
    refresh_token: str
    user: User


@strawberry.type
class SessionPayload:
    session: Session | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class CredentialsInput:
    username: str
    password: str


@strawberry.type
class MLModel:
    name: str
    task: str
    labels: list[str]
    license: str
    is_ready: bool
    description: str


@strawberry.type
class LabelCount:
    label: str
    detections: int
    tracks: int


@strawberry.type
class AnalysisProgress:
    analysis_id: strawberry.ID
    status: str
    progress: float
    frames_done: int
    frames_total: int = FRAMES
    eta_seconds: float | None = None
    frames_per_second: float | None = None
    error_message: str | None = None
    counts: list[LabelCount] = strawberry.field(default_factory=list)


@strawberry.type
class Query:
    @strawberry.field
    def me(self, info: strawberry.Info) -> User | None:
        return User(username=viewer(info)[0])

    @strawberry.field
    def ml_models(self, info: strawberry.Info) -> list[MLModel]:
        viewer(info)
        return [
            MLModel(
                name="yunet-2026may",
                task="FACE_DETECTION",
                labels=["face"],
                license="MIT",
                is_ready=True,
                description="Faces with five landmarks.",
            )
        ]


@strawberry.type
class Mutation:
    @strawberry.mutation
    def sign_in(self, info: strawberry.Info, input: CredentialsInput) -> SessionPayload:
        accounts = accounts_of(info)
        if accounts.passwords.get(input.username) != input.password:
            return refuse("WRONG_CREDENTIALS", "The username or the password is wrong.")
        return accounts.issue(input.username)

    @strawberry.mutation
    def sign_up(self, info: strawberry.Info, input: CredentialsInput) -> SessionPayload:
        accounts = accounts_of(info)
        if input.username in accounts.passwords:
            return refuse("CONFLICT", "This username is taken.")
        accounts.passwords[input.username] = input.password
        return accounts.issue(input.username)

    @strawberry.mutation
    def refresh_session(self, info: strawberry.Info, refresh_token: str) -> SessionPayload:
        return accounts_of(info).rotate(refresh_token)

    @strawberry.mutation
    def sign_out(self, info: strawberry.Info, refresh_token: str) -> SessionPayload:
        accounts = accounts_of(info)
        accounts.end(accounts.refresh.get(refresh_token, ""))
        return SessionPayload()


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def analysis_progress(
        self, info: strawberry.Info, id: strawberry.ID
    ) -> AsyncGenerator[AnalysisProgress, None]:
        async for progress in _progress(info, id, FRAMES):
            yield progress

    @strawberry.subscription
    async def my_analyses_progress(self, info: strawberry.Info) -> AsyncGenerator[AnalysisProgress, None]:
        async for progress in _progress(info, strawberry.ID("mine"), None):
            yield progress


async def _progress(
    info: strawberry.Info, id: strawberry.ID, frames: int | None
) -> AsyncGenerator[AnalysisProgress, None]:
    """Counts up to `frames`, or as long as the token is good."""
    accounts = accounts_of(info)
    _, expires_at = viewer(info)
    done = 0
    while frames is None or done <= frames:
        if datetime.now(UTC) >= expires_at:
            raise GraphQLError("Your access token has expired.", extensions={"code": "UNAUTHENTICATED"})
        yield AnalysisProgress(
            analysis_id=id,
            status="SUCCEEDED" if done == frames else "RUNNING",
            progress=100.0 * min(done, FRAMES) / FRAMES,
            frames_done=done,
            counts=[LabelCount(label="face", detections=2 * done, tracks=min(done, 2))],
        )
        done += 1
        await asyncio.sleep(accounts.tick_seconds)


class _GraphQL(GraphQL[dict[str, Any], None]):
    async def get_context(self, request: Any, response: Any = None) -> dict[str, Any]:
        return {"request": request, "response": response}


class _StrictPolicy:
    """Puts the policy on every answer: a worker goes by that of its own script, not by the page's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self.app(scope, receive, send_with_policy)


def make_app(dist: Path | None, accounts: Accounts) -> Starlette:
    """The stand-in; without `dist` it has no page."""
    schema = strawberry.Schema(Query, Mutation, Subscription)
    graphql = _GraphQL(schema, graphql_ide=None, subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL])

    async def page(request: Request) -> Response:
        assert dist is not None
        return FileResponse(dist / "graphiql.html")

    routes: list[Any] = [Route("/graphql", page, methods=["GET"])] if dist else []
    routes += [Route("/graphql", graphql), WebSocketRoute("/graphql", graphql)]
    if dist:
        routes.append(Mount("/static/assets", StaticFiles(directory=dist / "assets")))
    app = Starlette(routes=routes, middleware=[Middleware(_StrictPolicy)])
    app.state.accounts = accounts
    return app


@contextlib.contextmanager
def serve(app: Starlette) -> Iterator[str]:
    """Serve on a free port of the loopback interface; gives the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
