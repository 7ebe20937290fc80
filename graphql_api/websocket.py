"""GraphQL over WebSocket (graphql-transport-ws), and the end of a sign-in on an open socket.

A socket is authenticated at `connection_init`. When its access token expires or its session ends, every
operation on it gets an `error` frame with the code `UNAUTHENTICATED`, after which none may be sent for that
operation, and the socket is closed with 4403. No resolver has to look after it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)

from domain.accounts.service import Viewer, ended_sessions
from domain.errors import ErrorCode
from domain.outages import database_outage, is_outage
from graphql_api.context import Context
from graphql_api.errors import UNAUTHENTICATED, UNAVAILABLE, present_fault
from graphql_api.requests import MalformedRequestError, request_from

logger = logging.getLogger(__name__)

TRY_AGAIN_LATER = 1013
FORBIDDEN = 4403
INTERNAL_ERROR = 4500

_SESSIONS_A_QUERY = 500
_LONGEST_SLEEP_SECONDS = 60.0
_LAST_WORDS_SECONDS = 5.0


class WebSocketAdapter(ASGIWebSocketAdapter):
    """Strawberry's adapter, with a limit on frames and without errors about a client that has gone."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """The decoded frames, until the socket closes."""
        max_characters = cast("Any", self.view).max_message_characters
        while self.ws.application_state is not WebSocketState.DISCONNECTED:
            message = await self.ws.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None or len(text) > max_characters:
                raise NonJsonMessageReceived
            try:
                frame = self.view.decode_json(text)
            except ValueError as error:
                raise NonJsonMessageReceived from error
            yield frame

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send one frame.

        Raises:
            WebSocketDisconnected: The socket is closed, by either side.
        """
        if self.ws.application_state is WebSocketState.DISCONNECTED:
            raise WebSocketDisconnected
        await super().send_json(message)

    async def close(self, code: int, reason: str) -> None:
        """Close the socket; if it is closed already, do nothing."""
        if self.ws.application_state is not WebSocketState.DISCONNECTED:
            with suppress(WebSocketDisconnect):
                # A control frame carries 125 bytes: two of the code, the rest of the reason.
                await super().close(code, reason.encode()[:123].decode(errors="ignore"))


class TransportHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One socket."""

    _expiry: asyncio.Task[None] | None = None
    _viewer: Viewer | None = None

    async def handle(self) -> None:
        """Serve the socket until it closes."""
        try:
            await super().handle()
        except Exception as error:
            message, extensions = present_fault(error)
            code = TRY_AGAIN_LATER if extensions["code"] == UNAVAILABLE else INTERNAL_ERROR
            await self.websocket.close(code, message)

    async def shutdown(self) -> None:
        """Forget the socket."""
        if self._viewer is not None:
            self._watch.discard(self, self._viewer)
        if self._expiry is not None:
            self._expiry.cancel()
        await super().shutdown()

    async def handle_message(self, message: Message) -> None:
        """Handle one frame; a malformed one closes the socket with 4400."""
        fault = _fault(message)
        if fault is not None:
            await self.handle_invalid_message(fault)
        else:
            await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Authenticate the socket, and watch over its sign-in from then on."""
        await super().handle_connection_init(cast("ConnectionInitMessage", _without_null_payload(message)))
        viewer = await self.context.viewer() if self.connection_acknowledged else None
        if viewer is not None and self._viewer is None:
            self._viewer = viewer
            self._watch.add(self, viewer)
            self._expiry = asyncio.create_task(self._end_when_expired(viewer.token_expires_at))

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Start an operation, unless as many run as may."""
        limit = self.context.state.settings.max_subscriptions_per_socket
        if (
            self.connection_acknowledged
            and len(self.operations) >= limit
            and message["id"] not in self.operations
        ):
            text = f"A socket may have {limit} operations at once (limit: max_subscriptions_per_socket)."
            extensions = {"code": ErrorCode.LIMIT_EXCEEDED.value, "limit": "max_subscriptions_per_socket"}
            await self._send_error(message["id"], text, extensions)
        else:
            await super().handle_subscribe(message)

    async def handle_task_exception(self, error: Exception) -> None:
        """Log what broke an operation, unless it was the client's leaving."""
        if not isinstance(error, WebSocketDisconnected):
            present_fault(error)

    async def end_sign_in(self, reason: str) -> None:
        """End every operation with an error, and close the socket."""
        self.connection_acknowledged = False
        operation_ids = list(self.operations)
        for operation_id in operation_ids:
            await self.cleanup_operation(operation_id)
        # A client that reads nothing must not keep the others waiting.
        with suppress(WebSocketDisconnected, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                for operation_id in operation_ids:
                    await self._send_error(operation_id, reason, {"code": UNAUTHENTICATED})
        await self.websocket.close(FORBIDDEN, reason)

    async def _end_when_expired(self, expires_at: datetime) -> None:
        # In short sleeps, for the clock that the token goes by may be set, or stand still with the machine.
        while (left_seconds := (expires_at - datetime.now(UTC)).total_seconds()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left_seconds, _LONGEST_SLEEP_SECONDS))
        await self.end_sign_in("The access token has expired.")

    async def _send_error(self, operation_id: str, message: str, extensions: dict[str, Any]) -> None:
        payload = [{"message": message, "extensions": extensions}]
        await self.send_message(cast("Message", {"id": operation_id, "type": "error", "payload": payload}))

    @property
    def _watch(self) -> "SessionWatch":
        return cast("SessionWatch", self.view.session_watch)  # type: ignore[attr-defined]


class SessionWatch:
    """Ends the sockets of sessions that have ended, by one query for all sockets at each check."""

    def __init__(self, check_seconds: float) -> None:
        self._check_seconds = check_seconds
        self._sockets: dict[UUID, set[TransportHandler]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, socket: TransportHandler, viewer: Viewer) -> None:
        """Watch over a socket."""
        self._sockets.setdefault(viewer.session_id, set()).add(socket)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def discard(self, socket: TransportHandler, viewer: Viewer) -> None:
        """Stop watching over a socket."""
        sockets = self._sockets.get(viewer.session_id, set())
        sockets.discard(socket)
        if not sockets:
            self._sockets.pop(viewer.session_id, None)
        if not self._sockets and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._check_seconds)
            try:
                await self._check()
            except Exception as error:
                if is_outage(error):
                    database_outage.failed("the sessions of open sockets are not checked", error)
                else:
                    logger.exception("The sessions of open sockets could not be checked; trying again")

    async def _check(self) -> None:
        session_ids = list(self._sockets)
        for start in range(0, len(session_ids), _SESSIONS_A_QUERY):
            ended = await ended_sessions(session_ids[start : start + _SESSIONS_A_QUERY])
            database_outage.answered()
            for session_id in ended:
                sockets = list(self._sockets.get(session_id, ()))
                await asyncio.gather(*(socket.end_sign_in("The session has ended.") for socket in sockets))


def _fault(message: object) -> str | None:
    """What is wrong with a frame, beyond what Strawberry checks."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return "A frame is a JSON object with a `type`"
    if message["type"] not in ("subscribe", "complete"):
        return None
    if not isinstance(message.get("id"), str) or not message["id"]:
        return "`id` must be a string that is not empty"
    if message["type"] == "subscribe":
        try:
            request_from(message.get("payload"))
        except MalformedRequestError as error:
            return str(error)
    return None


def _without_null_payload(message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "payload" or value is not None}
