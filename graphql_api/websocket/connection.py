"""One socket, from its handshake to its end.

A socket is authenticated at `connection_init`. When its access token expires or its session ends, every
operation on it gets an `error` frame with the code `UNAUTHENTICATED`, after which none may be sent for that
operation, and the socket is closed with 4403. No resolver has to look after it.
"""

import asyncio
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.types import Receive, Scope, Send

from domain.accounts.sessions import Viewer
from domain.errors import ErrorCode, LimitExceededError, NotSignedInError
from graphql_api.context import Context
from graphql_api.errors import UNAUTHENTICATED, UNAVAILABLE, present_fault
from graphql_api.http.requests import LARGE_BYTES, GraphQLRequest
from graphql_api.websocket.operation import Operation
from graphql_api.websocket.outbox import Outbox, SocketClosedError
from graphql_api.websocket.protocol import (
    SUBPROTOCOL,
    Action,
    Close,
    CloseCode,
    Connect,
    Protocol,
    Reply,
    Start,
    Stop,
    acknowledgement,
    error_frame,
)
from graphql_api.websocket.services import SIGNED_IN_EXTENSION, SocketServices

_LONGEST_SLEEP_SECONDS = 60.0
_LAST_WORDS_SECONDS = 5.0


class Connection:
    """Serves one WebSocket.

    Args:
        context: Whose socket it is; it has not been accepted yet.
        receive: The server's.
        send: The server's.
        services: What it shares with the other sockets.
    """

    def __init__(self, context: Context, receive: Receive, send: Send, services: SocketServices) -> None:
        self._context = context
        self._receive = receive
        self._send = send
        self._services = services
        self._settings = context.state.settings
        self._outbox = Outbox(send, self._abandon)
        self._protocol = Protocol(self._settings.max_graphql_body_bytes)
        self._operations: dict[str, Operation] = {}
        self._running: set[Operation] = set()
        """Those in `_operations`, and those that are stopped but not yet done."""
        self._reader: asyncio.Task[Any] | None = None
        self._is_abandoned = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = ExitStack()

    async def run(self) -> None:
        """Serve the socket until it closes."""
        if not await self._accept(self._context.request.scope):
            self._outbox.end()
            return
        self._reader = asyncio.current_task()
        loop = asyncio.get_running_loop()
        timeouts = self._services.timeouts
        timeout = loop.call_later(
            self._services.connection_init_seconds, partial(timeouts.take, self._time_out)
        )
        try:
            await self._serve()
        except SocketClosedError:
            pass
        except asyncio.CancelledError:
            if not self._is_abandoned:
                raise
        except Exception as error:
            await self._close_for_fault(error)
        finally:
            timeout.cancel()
            await self._end()

    async def end_sign_in(self, reason: str) -> None:
        """End every operation with an error, and close the socket."""
        self._protocol.acknowledged = False
        operation_ids = list(self._operations)
        for operation_id in operation_ids:
            self._stop(operation_id)
        errors = [{"message": reason, "extensions": {"code": UNAUTHENTICATED}}]
        # A client that reads nothing must not keep the others waiting.
        with suppress(SocketClosedError, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                for operation_id in operation_ids:
                    await self._outbox.send(error_frame(operation_id, errors))
        await self._outbox.close(CloseCode.FORBIDDEN, reason)

    async def _accept(self, scope: Scope) -> bool:
        message = await self._receive()
        if message["type"] != "websocket.connect":
            return False
        knows_us = SUBPROTOCOL in scope["subprotocols"]
        try:
            await self._send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if knows_us else None})
        except OSError:
            return False
        if not knows_us:
            await self._outbox.close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
        return knows_us

    async def _serve(self) -> None:
        while (message := await self._receive())["type"] == "websocket.receive":
            text = message.get("text")
            if text is not None and len(text) >= LARGE_BYTES:
                await self._services.schema.lane.slices.next()
            if not self._outbox.is_closed:
                await self._act(self._protocol.receive(text))
            # Many frames may have come at once; others have their turn between them.
            await asyncio.sleep(0)

    async def _act(self, action: Action | None) -> None:
        match action:
            case Start(operation_id, request):
                await self._start(operation_id, request)
            case Stop(operation_id):
                self._stop(operation_id)
            case Reply(text):
                await self._outbox.send(text)
            case Connect(parameters):
                self._spawn(self._connect(parameters))
            case Close(code, reason):
                await self._outbox.close(code, reason)

    async def _connect(self, parameters: dict[str, Any] | None) -> None:
        """Authenticate the socket, and watch over its sign-in from then on."""
        self._context.connection_params = parameters
        try:
            viewer = await self._context.viewer()
            if viewer is not None:
                limit = self._settings.max_sockets_per_user
                self._held.enter_context(self._services.sockets.take(viewer.user.id, limit))
                self._say_signed_in()
            self._protocol.acknowledged = True
            await self._outbox.send(acknowledgement())
        except NotSignedInError:
            await self._outbox.close(CloseCode.FORBIDDEN, "Forbidden")
        except LimitExceededError as error:
            await self._outbox.close(CloseCode.TRY_AGAIN_LATER, error.message)
        except SocketClosedError:
            pass
        except Exception as error:
            await self._close_for_fault(error)
        else:
            if viewer is not None:
                self._watch_over(viewer)

    def _say_signed_in(self) -> None:
        extensions = self._context.request.scope.get("extensions", {})
        if SIGNED_IN_EXTENSION in extensions:
            extensions[SIGNED_IN_EXTENSION]()

    def _watch_over(self, viewer: Viewer) -> None:
        self._services.session_watch.add(self, viewer)
        self._held.callback(self._services.session_watch.discard, self, viewer)
        self._spawn(self._end_when_expired(viewer.token_expires_at))

    async def _end_when_expired(self, expires_at: datetime) -> None:
        # In short sleeps, for the clock that the token goes by may be set, or stand still with the machine.
        while (left_seconds := (expires_at - datetime.now(UTC)).total_seconds()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left_seconds, _LONGEST_SLEEP_SECONDS))
        await self.end_sign_in("The access token has expired.")

    async def _start(self, operation_id: str, request: GraphQLRequest) -> None:
        limit = self._settings.max_subscriptions_per_socket
        unstoppable = sum(operation.is_stopped_mutation for operation in self._running)
        if len(self._operations) + unstoppable >= limit:
            self._protocol.operation_ids.discard(operation_id)
            text = f"A socket may have {limit} operations at once (limit: max_subscriptions_per_socket)."
            extensions = {"code": ErrorCode.LIMIT_EXCEEDED.value, "limit": "max_subscriptions_per_socket"}
            frame = error_frame(operation_id, [{"message": text, "extensions": extensions}])
            await self._outbox.send(frame)
            return
        operation = Operation(operation_id, request, self._context, self._outbox, self._services)
        self._operations[operation_id] = operation
        self._running.add(operation)
        operation.start().add_done_callback(lambda _task: self._forget(operation))

    def _stop(self, operation_id: str) -> None:
        self._protocol.operation_ids.discard(operation_id)
        operation = self._operations.pop(operation_id, None)
        if operation is not None:
            operation.stop()

    def _forget(self, operation: Operation) -> None:
        self._running.discard(operation)
        if self._operations.get(operation.id) is operation:
            del self._operations[operation.id]
            self._protocol.operation_ids.discard(operation.id)

    def _time_out(self) -> None:
        if not self._protocol.init_received and not self._outbox.is_closed:
            self._spawn(self._outbox.close(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout"))

    async def _close_for_fault(self, error: Exception) -> None:
        message, extensions = present_fault(error)
        is_outage = extensions["code"] == UNAVAILABLE
        await self._outbox.close(
            CloseCode.TRY_AGAIN_LATER if is_outage else CloseCode.INTERNAL_ERROR, message
        )

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self) -> None:
        """Let go of everything; a mutation that has begun is waited for."""
        self._outbox.end()
        self._held.close()
        for task in self._tasks:
            task.cancel()
        for operation_id in list(self._operations):
            self._stop(operation_id)
        try:
            for operation in list(self._running):
                await operation.wait_until_done()
        except asyncio.CancelledError:
            for operation in self._running:
                operation.cancel()
            raise

    def _abandon(self) -> None:
        """End although the client does not."""
        self._is_abandoned = True
        if self._reader is not None:
            self._reader.cancel()
