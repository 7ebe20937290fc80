"""GraphQL over HTTP, and the door to GraphQL over WebSocket."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from cross_web import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET, UnsetType

from domain.errors import DomainError, ErrorCode, LimitExceededError, NotSignedInError
from graphql_api.context import AppState, Context
from graphql_api.errors import (
    BAD_USER_INPUT,
    UNAVAILABLE,
    ErrorPresentingSchema,
    domain_extensions,
    present_fault,
)
from graphql_api.requests import (
    GraphQLRequest,
    MalformedRequestError,
    decode_json,
    read_body,
    read_query_parameters,
    request_from,
)
from graphql_api.uploads import MultipartError, parse_multipart
from graphql_api.websocket import SessionWatch, TransportHandler, WebSocketAdapter

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"

_ALLOWED_OPERATIONS = {
    "GET": {OperationType.QUERY},
    "POST": {OperationType.QUERY, OperationType.MUTATION},
}
_DOMAIN_STATUS: dict[type[Exception], int] = {NotSignedInError: 401, LimitExceededError: 413}
_NO_GRAPHIQL = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Framewise GraphQL</title>
<h1>Framewise GraphQL</h1><p>This is the GraphQL endpoint: send it <code>POST</code> requests. Its
interactive page, GraphiQL, is not built: run <code>npm ci &amp;&amp; npm run build</code> in
<code>web</code>.</p></html>"""


class GraphQLEndpoint(GraphQL[Context, None]):
    """The ASGI application at `/graphql`; it needs both a `Route` and a `WebSocketRoute`.

    Args:
        schema: What is served.
        state: Gives the application's parts; called once a request, so they may be made after this object.
        graphiql_page: The built GraphiQL page, for a browser; a page that says how to build it if missing.
        connection_init_seconds: How long a WebSocket may stay silent before `connection_init`.
        session_check_seconds: How often the sessions of open sockets are checked for having ended.
    """

    websocket_adapter_class = WebSocketAdapter
    graphql_transport_ws_handler_class = TransportHandler

    def __init__(
        self,
        schema: ErrorPresentingSchema,
        state: Callable[[], AppState],
        *,
        graphiql_page: Path,
        connection_init_seconds: float = 10.0,
        session_check_seconds: float = 2.0,
        allowed_origins: Sequence[str] = ("*",),
    ) -> None:
        # Any page may open a socket: it proves who it is by a token, not by a cookie that is sent for it.
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=connection_init_seconds),
            max_subscriptions_per_connection=None,
            allowed_origins=allowed_origins,
        )
        self._state = state
        self._graphiql_page = graphiql_page
        self.session_watch = SessionWatch(session_check_seconds)

    @property
    def max_message_characters(self) -> int:
        """The longest frame of a socket."""
        return self._state().settings.max_graphql_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or serve a socket until it closes."""
        if scope["type"] != "http":
            await self.run(WebSocket(scope, receive=receive, send=send))
            return
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        except Exception as error:
            response = _refusal(request, error)
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """The context of a socket."""
        return Context(self._state(), request)

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        """Accept a socket without a token or with a valid one; another is closed with 4403."""
        try:
            await context.viewer()
        except NotSignedInError as error:
            raise ConnectionRejectionError from error
        unset: UnsetType = UNSET
        return unset

    def decode_json(self, data: str | bytes) -> object:
        """Decode a frame of a socket."""
        return decode_json(data)

    def encode_json(self, data: object) -> str:
        """Encode a frame of a socket."""
        return orjson.dumps(data).decode()

    async def _respond(self, request: Request) -> Response:
        if request.method not in _ALLOWED_OPERATIONS:
            raise HTTPException(405, "GraphQL takes GET and POST requests.")
        if request.method == "GET":
            if "query" not in request.query_params and "text/html" in request.headers.get("accept", ""):
                return self._graphiql()
            context = Context(self._state(), request)
            return await self._execute(request, context, read_query_parameters(request.query_params))
        context = Context(self._state(), request)
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type == "multipart/form-data":
            return await self._respond_to_upload(request, context)
        if content_type != JSON:
            raise HTTPException(415, f"Send the request as {JSON}.")
        body = await read_body(request, context.state.settings.max_graphql_body_bytes)
        return await self._execute(request, context, request_from(body))

    async def _respond_to_upload(self, request: Request, context: Context) -> Response:
        await context.require_viewer()
        settings = context.state.settings
        async with await parse_multipart(
            request,
            context.state.storage,
            max_file_bytes=settings.max_upload_bytes,
            max_request_bytes=settings.max_request_bytes,
            max_files=settings.max_files_per_upload,
            min_free_bytes=settings.min_free_bytes,
        ) as streamed:
            context.upload = streamed
            return await self._execute(request, context, request_from(streamed.operations))

    async def _execute(self, request: Request, context: Context, asked: GraphQLRequest) -> Response:
        result = await self.schema.execute(
            asked.query,
            variable_values=asked.variables,
            context_value=context,
            operation_name=asked.operation_name,
            operation_extensions=asked.extensions,
            allowed_operation_types=_ALLOWED_OPERATIONS[request.method],
        )
        content: dict[str, Any] = {}
        if result.errors:
            content["errors"] = [error.formatted for error in result.errors]
        if _was_refused(result):
            # By the specification, 400 in the new media type, but 200 in the one that old clients know.
            is_new = _media_type(request.headers.get("accept", "")) == GRAPHQL_RESPONSE
            return _json_response(request, content, 400 if is_new else 200)
        content["data"] = result.data
        if result.extensions:
            content["extensions"] = result.extensions
        return _json_response(request, content)

    def _graphiql(self) -> Response:
        if self._graphiql_page.is_file():
            return FileResponse(self._graphiql_page, media_type="text/html")
        return HTMLResponse(_NO_GRAPHIQL)


def _was_refused(result: ExecutionResult) -> bool:
    """Whether nothing was executed: the document or its variables are wrong."""
    if isinstance(result, PreExecutionError):
        return True
    return (
        result.data is None and bool(result.errors) and all(not error.path for error in result.errors or ())
    )


def _refusal(request: Request, error: Exception) -> Response:
    """The answer to a request that was not executed."""
    status, message, extensions = 400, str(error), {"code": BAD_USER_INPUT}
    headers: dict[str, str] = {}
    match error:
        case HTTPException(status_code=status, reason=message):
            pass
        case InvalidOperationTypeError() if request.method == "GET":
            status, message = 405, error.as_http_error_reason("GET")
        case InvalidOperationTypeError():
            message = "Subscriptions need a WebSocket with the subprotocol graphql-transport-ws."
        case CannotGetOperationTypeError():
            message = error.as_http_error_reason()
        case DomainError():
            status, extensions = _DOMAIN_STATUS.get(type(error), 400), domain_extensions(error)
        case MultipartError():
            status, extensions = error.status, _multipart_extensions(error)
        case MalformedRequestError():
            pass
        case _:
            message, extensions = present_fault(error)
            status = 503 if extensions["code"] == UNAVAILABLE else 500
    if status == 405:
        headers["Allow"] = "POST" if request.method == "GET" else "GET, POST"
    elif status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    content = {"errors": [{"message": message, "extensions": extensions}]}
    return _json_response(request, content, status, headers)


def _multipart_extensions(error: MultipartError) -> dict[str, Any]:
    if error.status == 507:
        return {"code": ErrorCode.LIMIT_EXCEEDED.value, "limit": "min_free_bytes"}
    if error.status >= 500:
        return present_fault(error.__cause__ or error)[1]
    return {"code": ErrorCode.LIMIT_EXCEEDED.value if error.status == 413 else BAD_USER_INPUT}


def _json_response(
    request: Request, content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    media_type = _media_type(request.headers.get("accept", ""))
    return Response(
        orjson.dumps(content), status, {**(headers or {}), "Content-Type": f"{media_type}; charset=utf-8"}
    )


def _media_type(accept: str) -> str:
    """What the client likes best of the two that GraphQL over HTTP has; JSON if it does not say."""
    quality = {JSON: 0.0, GRAPHQL_RESPONSE: 0.0}
    for part in accept.split(","):
        name, _, parameters = part.partition(";")
        name = name.strip().lower()
        if name in quality:
            match = re.search(r"q\s*=\s*([01](?:\.[0-9]*)?)", parameters)
            quality[name] = float(match[1]) if match else 1.0
    prefers_new = quality[GRAPHQL_RESPONSE] > 0 and quality[GRAPHQL_RESPONSE] >= quality[JSON]
    return GRAPHQL_RESPONSE if prefers_new else JSON
