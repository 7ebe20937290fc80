"""A stand-in for the server: the same GraphQL names, and analyses whose course a test decides."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL
from strawberry.file_uploads import Upload
from strawberry.schema.config import StrawberryConfig
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from cli.client import Login
from tests.cli.stand_in_types import (
    AnalysisPayload,
    AnalysisProgress,
    AnalysisSettingsInput,
    AnalysisType,
    LabelCount,
    MLModel,
    Session,
    SessionPayload,
    SignInInput,
    SignOutPayload,
    SignUpInput,
    UploadVideosPayload,
    UserError,
    Video,
)

LOGIN = Login("ada", "correct horse")
"""The account that tests sign in with."""
OVERLAY = b"not really an mp4, but enough bytes to be cut in two" * 1000


@dataclass
class Analysis:
    id: str
    name: str
    settings: dict[str, Any]
    status: str = "QUEUED"
    done: int = 0
    rejection: str | None = None
    error: str | None = None

    @property
    def is_final(self) -> bool:
        return self.status in {"SUCCEEDED", "FAILED", "CANCELLED"}


@dataclass
class World:
    """What the server does, and what it saw."""

    frames: int = 20
    seconds_a_frame: float = 0.01
    token_seconds: float = 900
    allow_sign_up: bool = True
    taken_usernames: set[str] = field(default_factory=set)
    lose_sockets_at: list[int] = field(default_factory=list)
    """Sockets close when an analysis reaches these numbers of frames."""
    socket_close_code: int = 1012
    refuse_sockets: bool = False
    broken_downloads: int = 0
    is_well: bool = True
    hold: bool = False
    """Analyses stay where they are."""

    accounts: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    analyses: dict[str, Analysis] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    sockets_opened: int = 0
    _tokens: dict[str, datetime] = field(default_factory=dict)
    _refresh_tokens: set[str] = field(default_factory=set)
    _sends: set[Any] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def new_session(self) -> Session:
        expires_at = datetime.now(UTC) + timedelta(seconds=self.token_seconds)
        token, refresh = f"access-{len(self._tokens)}", f"refresh-{len(self._tokens)}"
        self._tokens[token] = expires_at
        self._refresh_tokens.add(refresh)
        return Session(access_token=token, access_token_expires_at=expires_at, refresh_token=refresh)

    def use_refresh_token(self, token: str) -> bool:
        with contextlib.suppress(KeyError):
            self._refresh_tokens.remove(token)
            return True
        return False

    def end_all_sign_ins(self) -> None:
        self._tokens = dict.fromkeys(self._tokens, datetime.now(UTC))

    def check(self, info: strawberry.Info) -> None:
        request = info.context["request"]
        header = request.headers.get("authorization")
        header = header or (info.context.get("connection_params") or {}).get("Authorization") or ""
        expires_at = self._tokens.get(header.removeprefix("Bearer "))
        if expires_at is None or expires_at <= datetime.now(UTC):
            raise GraphQLError("Sign in to do this.", extensions={"code": "UNAUTHENTICATED"})

    def begin(self, analysis: Analysis) -> None:
        self.analyses[analysis.id] = analysis
        task = asyncio.create_task(self._run(analysis))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, analysis: Analysis) -> None:
        data = self.uploads[analysis.name]
        if data.startswith(b"late"):
            analysis.rejection = "The file is cut off."
            analysis.status, analysis.error = "FAILED", "The video was rejected: The file is cut off."
            return
        while analysis.done < self.frames and not analysis.is_final:
            await asyncio.sleep(self.seconds_a_frame)
            if self.hold:
                continue
            analysis.status = "RUNNING"
            analysis.done += 1
            if data.startswith(b"crash") and analysis.done > 3:
                analysis.status, analysis.error = "FAILED", "The decoder gave up three times."
                return
            if analysis.done in self.lose_sockets_at:
                self.lose_sockets_at.remove(analysis.done)
                await self.lose_sockets()
        if not analysis.is_final:
            analysis.status = "SUCCEEDED"

    async def lose_sockets(self) -> None:
        for send in list(self._sends):
            await send({"type": "websocket.close", "code": self.socket_close_code})


WORLD = World()
"""The one of the running test."""


def world() -> World:
    return WORLD


def progress_fields(found: Analysis) -> dict[str, Any]:
    total = world().frames
    return {
        "status": found.status,
        "progress": 100 * found.done / total,
        "frames_done": found.done,
        "frames_total": total,
        "counts": [LabelCount(label="face", detections=2 * found.done, tracks=1)] if found.done else [],
        "line_counts": [],
        "zone_counts": [],
        "people_count": 3 if found.settings.get("create_people") and found.done else 0,
        "eta_seconds": (total - found.done) * world().seconds_a_frame,
        "frames_per_second": 100.0,
        "error_message": found.error,
    }


def analysis_type(found: Analysis) -> AnalysisType:
    rejected = found.rejection is not None
    return AnalysisType(
        id=strawberry.ID(found.id),
        video=Video(
            id=strawberry.ID(f"video-{found.id}"),
            status="REJECTED" if rejected else "READY",
            rejection_reason=found.rejection,
            duration_seconds=None if rejected else 8.0,
        ),
        overlay_url=f"/files/{found.id}.mp4" if found.settings.get("overlay") else None,
        crops_url=f"/files/{found.id}.zip" if found.settings.get("crops") else None,
        has_pictures=bool(found.settings.get("pictures")),
        frames_skipped=7,
        **progress_fields(found),
    )


@strawberry.type
class Query:
    @strawberry.field
    def ml_models(self, info: strawberry.Info) -> list[MLModel]:
        world().check(info)
        return [
            MLModel(name="faces-good", task="FACE_DETECTION", labels=["face"], is_ready=False),
            MLModel(name="faces-plain", task="FACE_DETECTION", labels=["face"], is_ready=True),
            MLModel(name="things", task="OBJECT_DETECTION", labels=["cup", "dog", "person"], is_ready=True),
        ]

    @strawberry.field
    def analysis(self, info: strawberry.Info, id: strawberry.ID) -> AnalysisType | None:
        world().calls.append("analysis")
        world().check(info)
        found = world().analyses.get(id)
        return analysis_type(found) if found else None


@strawberry.type
class Mutation:
    @strawberry.mutation
    def sign_up(self, input: SignUpInput) -> SessionPayload:
        world().calls.append("signUp")
        if not world().allow_sign_up:
            return SessionPayload(
                user_errors=[UserError(code="CONFLICT", message="Sign-up is closed.", path=[])]
            )
        if input.username in {*world().accounts, *world().taken_usernames}:
            taken = UserError(code="CONFLICT", message="This username is taken.", path=["input", "username"])
            return SessionPayload(user_errors=[taken])
        world().accounts[input.username] = input.password
        return SessionPayload(session=world().new_session())

    @strawberry.mutation
    def sign_in(self, input: SignInInput) -> SessionPayload:
        world().calls.append("signIn")
        if world().accounts.get(input.username) != input.password:
            wrong = UserError(code="WRONG_CREDENTIALS", message="Wrong username or password.", path=["input"])
            return SessionPayload(user_errors=[wrong])
        return SessionPayload(session=world().new_session())

    @strawberry.mutation
    def refresh_session(self, refresh_token: str) -> SessionPayload:
        world().calls.append("refreshSession")
        if not world().use_refresh_token(refresh_token):
            wrong = UserError(code="WRONG_CREDENTIALS", message="This token was used.", path=["refreshToken"])
            return SessionPayload(user_errors=[wrong])
        return SessionPayload(session=world().new_session())

    @strawberry.mutation
    def sign_out(self, refresh_token: str) -> SignOutPayload:
        world().calls.append("signOut")
        return SignOutPayload()

    @strawberry.mutation
    async def upload_videos(
        self, info: strawberry.Info, files: list[Upload], analyze: AnalysisSettingsInput
    ) -> UploadVideosPayload:
        world().check(info)
        (file,) = files
        data = await file.read()
        await file.close()
        if analyze.frame_stride == 9999:
            wrong = UserError(
                code="INVALID", message="frameStride is too large.", path=["analyze", "frameStride"]
            )
            return UploadVideosPayload(user_errors=[wrong])
        if data.startswith(b"bad"):
            video = Video(id=strawberry.ID("v"), status="REJECTED", rejection_reason="This is no video.")
            return UploadVideosPayload(videos=[video])
        if data.startswith(b"toolarge"):
            wrong = UserError(code="LIMIT_EXCEEDED", message="The file is too large.", path=["files", "0"])
            return UploadVideosPayload(user_errors=[wrong])
        name = f"{len(world().uploads)}/{file.filename}"
        world().uploads[name] = data
        settings = {key: value for key, value in vars(analyze).items() if value is not None}
        analysis = Analysis(f"analysis-{len(world().analyses)}", name, settings)
        world().begin(analysis)
        return UploadVideosPayload(
            videos=[Video(id=strawberry.ID("v"), status="PROBING")], analyses=[analysis_type(analysis)]
        )

    @strawberry.mutation
    def cancel_analysis(self, info: strawberry.Info, id: strawberry.ID) -> AnalysisPayload:
        world().check(info)
        world().calls.append("cancelAnalysis")
        world().analyses[id].status = "CANCELLED"
        return AnalysisPayload(analysis=analysis_type(world().analyses[id]))


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def my_analyses_progress(self, info: strawberry.Info) -> AsyncIterator[AnalysisProgress]:
        world().check(info)
        sent: dict[str, tuple[str, int]] = {}
        while True:
            for found in list(world().analyses.values()):
                state = (found.status, found.done)
                if sent.get(found.id) != state and (found.id in sent or not found.is_final):
                    sent[found.id] = state
                    yield AnalysisProgress(analysis_id=strawberry.ID(found.id), **progress_fields(found))
            await asyncio.sleep(0.005)


SCHEMA = strawberry.Schema(Query, Mutation, Subscription, config=StrawberryConfig(auto_camel_case=True))


class StandInGraphQL(GraphQL):
    """Remembers sockets, so that a test can close them, and demands what protects uploads from other sites."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            if world().refuse_sockets:
                await send({"type": "websocket.close", "code": 1011})
                return
            world().sockets_opened += 1
            world()._sends.add(send)
        try:
            await super().__call__(scope, receive, send)
        finally:
            world()._sends.discard(send)

    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        return {"request": request, "response": response}


def files(request: Request) -> Response:
    name = request.path_params["name"]
    found = world().analyses[name.partition(".")[0]]
    if name.endswith(".json"):
        return PlainTextResponse(json.dumps({"analysis": found.id, "frames": found.done}))
    if world().broken_downloads:
        world().broken_downloads -= 1

        def half() -> Iterator[bytes]:
            yield OVERLAY[: len(OVERLAY) // 2]
            raise ConnectionResetError("the cable was pulled")

        return StreamingResponse(half(), headers={"content-length": str(len(OVERLAY))})
    return Response(OVERLAY)


def application() -> Starlette:
    graphql = StandInGraphQL(
        SCHEMA, multipart_uploads_enabled=True, subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL]
    )
    return Starlette(
        routes=[
            Route("/graphql", graphql),
            WebSocketRoute("/graphql", graphql),
            Route("/files/{name}", files),
            Route("/healthz", lambda _request: PlainTextResponse("", 200 if world().is_well else 503)),
        ]
    )


@contextlib.contextmanager
def running(new_world: World) -> Iterator[str]:
    """Run it in a thread with the given world, and give its address."""
    global WORLD
    WORLD = new_world
    config = uvicorn.Config(
        application(), port=0, log_config=None, ws="websockets-sansio", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
