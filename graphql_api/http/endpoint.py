"""GraphQL over HTTP, and the door to GraphQL over WebSocket."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from cross_web import HTTPException
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from domain.errors import DomainError, ErrorCode, LimitExceededError, NotSignedInError
from graphql_api.context import AppState, Context
from graphql_api.errors import (
    BAD_USER_INPUT,
    UNAVAILABLE,
    domain_extensions,
    present_fault,
)
from graphql_api.execution.schema import ApiSchema
from graphql_api.http.accept import GRAPHQL_RESPONSE, JSON, NOT_ACCEPTABLE, media_type, prefers_html
from graphql_api.http.cookies import ForeignOriginError
from graphql_api.http.requests import (
    GraphQLRequest,
    MalformedRequestError,
    read_body,
    read_query_parameters,
    request_from,
)
from graphql_api.uploads.admission import NotExecutableError, admit_upload
from graphql_api.uploads.multipart import MultipartError, parse_multipart, parsing_gate
from graphql_api.websocket import Connection, SessionWatch, SocketServices

_ALLOWED_OPERATIONS = {
    "GET": {OperationType.QUERY},
    "POST": {OperationType.QUERY, OperationType.MUTATION},
}
_DOMAIN_STATUS: dict[type[Exception], int] = {
    NotSignedInError: 401,
    ForeignOriginError: 403,
    LimitExceededError: 413,
}
_GRAPHIQL_IS_OFF = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Framewise GraphQL</title>
<h1>Framewise GraphQL</h1><p>This is the GraphQL endpoint: send it <code>POST</code> requests.</p></html>"""
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

    def __init__(
        self,
        schema: ApiSchema,
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
            allowed_origins=allowed_origins,
        )
        self._api_schema = schema
        self._state = state
        self._graphiql_page = graphiql_page
        self._parsing_gate = parsing_gate()
        self.sockets = SocketServices(schema, SessionWatch(session_check_seconds), connection_init_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or serve a socket until it closes."""
        if scope["type"] != "http":
            await self._serve_socket(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        except Exception as error:
            response = _refusal(request, error)
        await response(scope, receive, send)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            context = Context(self._state(), HTTPConnection(scope))
        except ForeignOriginError:
            # Before it is accepted: the handshake is answered with 403.
            await WebSocket(scope, receive, send).close()
        else:
            await Connection(context, receive, send, self.sockets).run()

    async def _respond(self, request: Request) -> Response:
        if request.method not in _ALLOWED_OPERATIONS:
            raise HTTPException(405, "GraphQL takes GET and POST requests.")
        accept = request.headers.get("accept", "")
        if request.method == "GET" and prefers_html(accept) and not _is_query(request):
            return self._page()
        if media_type(accept) is None:
            raise HTTPException(406, NOT_ACCEPTABLE)
        context = Context(self._state(), request)
        if request.method == "GET":
            return await self._execute(request, context, read_query_parameters(request.query_params))
        content_type, options = parse_options_header(request.headers.get("content-type", ""))
        if content_type == b"multipart/form-data":
            try:
                return await self._respond_to_upload(request, context)
            except NotExecutableError as error:
                return await self._execute(request, context, error.request)
        _require_json(request, content_type, options)
        slices = self._api_schema.lane.slices
        body = await read_body(request, context.state.settings.max_graphql_body_bytes, slices=slices)
        return await self._execute(request, context, request_from(body))

    async def _respond_to_upload(self, request: Request, context: Context) -> Response:
        await context.require_viewer()
        settings = context.state.settings

        async def admit(operations: dict[str, Any], file_variables: Collection[str]) -> int | None:
            return await admit_upload(self._api_schema, context, request_from(operations), file_variables)

        async with await parse_multipart(
            request,
            context.state.storage,
            admit=admit,
            max_file_bytes=settings.max_upload_bytes,
            max_request_bytes=settings.max_request_bytes,
            max_files=settings.max_files_per_upload,
            min_free_bytes=settings.min_free_bytes,
            gate=self._parsing_gate,
        ) as streamed:
            context.upload = streamed
            return await self._execute(request, context, request_from(streamed.operations))

    async def _execute(self, request: Request, context: Context, asked: GraphQLRequest) -> Response:
        response = await self._executed(request, context, asked)
        context.cookies.set_on(response)
        return response

    async def _executed(self, request: Request, context: Context, asked: GraphQLRequest) -> Response:
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
            is_new = media_type(request.headers.get("accept", "")) == GRAPHQL_RESPONSE
            return _json_response(request, content, 400 if is_new else 200)
        content["data"] = result.data
        if result.extensions:
            content["extensions"] = result.extensions
        return _json_response(request, content)

    def _page(self) -> Response:
        if not self._state().settings.graphiql:
            return HTMLResponse(_GRAPHIQL_IS_OFF)
        if self._graphiql_page.is_file():
            return FileResponse(self._graphiql_page, media_type="text/html")
        return HTMLResponse(_NO_GRAPHIQL)


def _is_query(request: Request) -> bool:
    return any(name in request.query_params for name in ("query", "documentId", "id", "extensions"))


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
        case MalformedRequestError(status=status):
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
    if error.limit is not None:
        return {"code": ErrorCode.LIMIT_EXCEEDED.value, "limit": error.limit}
    if error.status >= 500:
        return present_fault(error.__cause__ or error)[1]
    return {"code": ErrorCode.LIMIT_EXCEEDED.value if error.status == 413 else BAD_USER_INPUT}


def _json_response(
    request: Request, content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    kind = media_type(request.headers.get("accept", "")) or JSON
    return Response(
        orjson.dumps(content), status, {**(headers or {}), "Content-Type": f"{kind}; charset=utf-8"}
    )


def _require_json(request: Request, content_type: bytes, options: Mapping[bytes, bytes]) -> None:
    """Refuse a body that is not JSON in plain UTF-8."""
    charset = options.get(b"charset", b"utf-8").decode("latin-1").lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if content_type.decode("latin-1") != JSON or charset not in ("utf-8", "utf8") or encoding != "identity":
        raise HTTPException(415, f"Send the request as {JSON} in UTF-8, not compressed.")
