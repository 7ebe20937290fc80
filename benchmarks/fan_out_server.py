"""The servers that `benchmarks.fan_out` compares: ours, and bare WebSockets under the same uvicorn.

`python -m benchmarks.fan_out_server ours|bare` prints a line of JSON when it listens. Each message to its
WebSocket `/emit` makes one event, which goes to everybody who listens at `/graphql`.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from cli.api_server.websocket_protocol import BoundedWebSocketProtocol
from domain.accounts.service import sign_up
from domain.accounts.sessions import AccountSettings
from domain.analyses.models import Analysis, AnalysisStatus, LabelTotal
from domain.analyses.progress import LabelCount, ProgressSnapshot
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.database import connect, disconnect, migrate
from domain.videos.models import Video
from graphql_api.context import AppState
from graphql_api.http.cut_off import AnswersWhatIsCutOff
from graphql_api.http.endpoint import GraphQLEndpoint
from graphql_api.http.headers import SecurityHeaders
from graphql_api.live.progress_hub import ProgressHub
from graphql_api.relay import global_id
from graphql_api.schema import make_schema
from settings import Settings

SECRET = b"s" * 32
Emit = Callable[[], Awaitable[None]]


def main(kind: str) -> None:
    """Serve until the process is ended."""
    with tempfile.TemporaryDirectory(prefix="framewise-fan-out-") as folder:
        serve = {"ours": _serve_ours, "bare": _serve_bare}[kind]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(Path(folder)))


async def _listen(app: ASGIApp, facts: dict[str, str]) -> None:
    config = uvicorn.Config(
        app,
        port=0,
        log_config=None,
        log_level="warning",
        lifespan="off",
        ws=BoundedWebSocketProtocol,
        ws_ping_interval=None,  # while one crowd is measured nobody reads for the others
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps({"port": port, **facts}) + "\n")
    sys.stdout.flush()
    await serving


COUNTS = (LabelCount("car", 812, 14), LabelCount("person", 2048, 31))
STATE = ProgressSnapshot(uuid4(), uuid4(), AnalysisStatus.RUNNING, 42.5, 425, 1000, COUNTS, 12.5, 98.7, None)


def state_now() -> ProgressSnapshot:
    """A state that carries the moment of the event, on the monotonic clock in nanoseconds."""
    return replace(STATE, error_message=str(time.monotonic_ns()))


# ── ours ────────────────────────────────────────────────────────────────────


async def _serve_ours(folder: Path) -> None:
    database = f"sqlite://{folder / 'database.sqlite3'}"
    await migrate(database)
    await connect(database)
    signed_in = await sign_up(AccountSettings(SECRET, 3600, 3600), "bench", "correct horse", None, None)
    owner_id = signed_in.user.id
    video = await Video.create(
        id=uuid4(), owner_id=owner_id, title="t", filename="t.mp4", size_bytes=1, sha256="0"
    )
    analysis = await create_analysis(owner_id, video, AnalysisSettings("m"))
    await Analysis.filter(id=analysis.id).update(
        status=STATE.status, frames_done=STATE.frames_done, frames_total=STATE.frames_total
    )
    for count in COUNTS:
        await LabelTotal.create(
            analysis_id=analysis.id,
            label=count.label,
            detections=count.detections,
            tracks=count.tracks,
        )
    unused: Any = None
    hub = ProgressHub(unused)
    settings = Settings(data_dir=folder, max_sockets_per_user=10**6, max_subscriptions_per_user=10**6)
    state = AppState(settings, SECRET, storage=unused, redis=unused, progress_hub=hub)
    endpoint = GraphQLEndpoint(make_schema(), lambda: state, graphiql_page=folder / "none.html")

    async def emit() -> None:
        hub._deliver(replace(state_now(), analysis_id=analysis.id, owner_id=owner_id).to_json())

    async def emitter(socket: WebSocket) -> None:
        await _emit_at_each_message(socket, emit)

    app = Starlette(
        routes=[
            Route("/graphql", endpoint),
            WebSocketRoute("/graphql", endpoint),
            WebSocketRoute("/emit", emitter),
        ],
        middleware=[Middleware(SecurityHeaders), Middleware(AnswersWhatIsCutOff)],
    )
    app.state.settings = settings
    facts = {"token": signed_in.access_token.token, "id": global_id("Analysis", analysis.id)}
    try:
        await _listen(app, facts)
    finally:
        await disconnect()


async def _emit_at_each_message(socket: WebSocket, emit: Emit) -> None:
    await socket.accept()
    async for _message in socket.iter_text():
        await emit()


# ── bare WebSockets ─────────────────────────────────────────────────────────


class _Bare:
    """As little as can be: every socket gets the same text, and nobody is asked anything."""

    def __init__(self) -> None:
        self._listeners: set[Send] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        is_listener = scope["path"] == "/graphql"
        protocol = {"subprotocol": "graphql-transport-ws"} if is_listener else {}
        await send({"type": "websocket.accept", **protocol})
        while (message := await receive())["type"] == "websocket.receive":
            if not is_listener:
                await self._emit()
            elif "connection_init" in message["text"]:
                await send({"type": "websocket.send", "text": '{"type":"connection_ack"}'})
            elif "subscribe" in message["text"]:
                self._listeners.add(send)
                await send({"type": "websocket.send", "text": _bare_frame()})
        self._listeners.discard(send)

    async def _emit(self) -> None:
        frame = _bare_frame()
        for send in self._listeners:
            await send({"type": "websocket.send", "text": frame})


def _bare_frame() -> str:
    """The bytes that ours sends."""
    snapshot = state_now()
    progress = {
        "status": "RUNNING",
        "progress": snapshot.progress,
        "framesDone": snapshot.frames_done,
        "framesTotal": snapshot.frames_total,
        "etaSeconds": snapshot.eta_seconds,
        "framesPerSecond": snapshot.frames_per_second,
        "errorMessage": snapshot.error_message,
        "counts": [
            {"label": count.label, "detections": count.detections, "tracks": count.tracks}
            for count in snapshot.counts
        ],
    }
    cost = {"cost": {"requested": 3, "limit": 50_000}}
    payload = {"data": {"analysisProgress": progress}, "extensions": cost}
    return json.dumps({"id": "1", "type": "next", "payload": payload}, separators=(",", ":"))


async def _serve_bare(_folder: Path) -> None:
    await _listen(_Bare(), {"token": "", "id": ""})


if __name__ == "__main__":
    main(sys.argv[1])
