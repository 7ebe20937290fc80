"""GraphQL requests as they come in, from any transport: decoded and checked for shape, not yet for sense."""

import asyncio
import gc
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from domain.errors import LimitExceededError
from domain.text import is_storable
from graphql_api.execution.trusted_documents import source_of
from graphql_api.scheduling.slices import Slices

_ID_FIELDS = ("documentId", "id")

MAX_VALUES = 10_000
"""Most values in the variables of a request: every one of them is looked at."""

LARGE_BYTES = 16_384
"""From this length on, to decode a request and check its variables takes some time: up to 20 ms."""

BODY_SECONDS = 60.0
"""How long the body of a GraphQL request may take to come."""

_NUL_IN_DOCUMENT = re.compile(r"\x00|\\u0000|\\u\{0+\}")


class MalformedRequestError(Exception):
    """Raised when what came in is not a GraphQL request; its text tells the client why.

    Args:
        message: What is wrong.
        status: The HTTP status to answer with.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class GraphQLRequest:
    """An operation to execute."""

    query: str
    """The document, or what `source_of` makes of its name where only that was sent."""
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None


def decode_json(data: str | bytes) -> object:
    """Decode JSON that is valid UTF-8, without lone surrogates, and at most 1024 levels deep.

    Raises:
        JSONDecodeError: It is not.
    """
    collects = gc.isenabled()
    # The collector would look at many small lists over and over while they are made.
    gc.disable()
    try:
        return orjson.loads(data)
    finally:
        if collects:
            gc.enable()


async def read_body(
    request: Request, max_bytes: int, max_seconds: float = BODY_SECONDS, slices: Slices | None = None
) -> object:
    """The JSON value in the body; a large one is decoded, and looked at, in slices of the loop's time.

    Raises:
        LimitExceededError: The body is longer than `max_bytes`; it is not read further, or not at all if
            its length was announced.
        MalformedRequestError: It is not JSON, or it did not come in time.
    """
    if _announced_bytes(request) > max_bytes:
        raise _body_too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(max_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise _body_too_large(max_bytes)
    except TimeoutError:
        raise MalformedRequestError(
            f"The body of the request did not come within {max_seconds:g} seconds.", 408
        ) from None
    if slices is None or len(body) < LARGE_BYTES:
        return _decoded(bytes(body), "The body")
    await slices.next()
    decoded = _decoded(bytes(body), "The body")
    await slices.next()
    return decoded


def read_query_parameters(parameters: Mapping[str, str]) -> GraphQLRequest:
    """The request in the query parameters of a GET.

    Raises:
        MalformedRequestError: They make no GraphQL request.
    """
    fields: dict[str, object] = {
        name: parameters[name] for name in ("query", "operationName", *_ID_FIELDS) if parameters.get(name)
    }
    for name in ("variables", "extensions"):
        if parameters.get(name):
            fields[name] = _decoded(parameters[name], f"`{name}`")
    return request_from(fields)


def request_from(fields: object) -> GraphQLRequest:
    """The request in a decoded JSON object.

    Raises:
        MalformedRequestError: It is no object, a member has the wrong type, or a text is none that
            databases can store.
    """
    if not isinstance(fields, dict):
        raise MalformedRequestError("A GraphQL request is a JSON object.")
    query = fields.get("query")
    if query is None or query == "":
        document_id = _document_id(fields)
        query = None if document_id is None else source_of(document_id)
    if not isinstance(query, str) or not query.strip():
        raise MalformedRequestError("`query` must be a string with a GraphQL document.")
    operation_name = fields.get("operationName")
    if not isinstance(operation_name, (str, type(None))):
        raise MalformedRequestError("`operationName` must be a string or null.")
    for name in ("variables", "extensions"):
        if not isinstance(fields.get(name), (dict, type(None))):
            raise MalformedRequestError(f"`{name}` must be an object or null.")
    if _NUL_IN_DOCUMENT.search(query) or not is_storable(query):
        raise MalformedRequestError("The request has text with U+0000 or half a surrogate pair.")
    _check_values(fields.get("variables"))
    return GraphQLRequest(query, fields.get("variables"), operation_name, fields.get("extensions"))


def _document_id(fields: Mapping[str, object]) -> str | None:
    """What the request calls its document: by the specification, as Relay does, or as Apollo does."""
    extensions = fields.get("extensions")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    hashed = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    for value in (*(fields.get(name) for name in _ID_FIELDS), hashed):
        if isinstance(value, str) and value:
            return value
    return None


def _announced_bytes(request: Request) -> int:
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length) <= 18):
        raise MalformedRequestError("The Content-Length is no number.")
    return int(length)


def _body_too_large(max_bytes: int) -> LimitExceededError:
    return LimitExceededError(
        f"A GraphQL request may have at most {max_bytes} bytes.", limit="max_graphql_body_bytes"
    )


def _decoded(data: str | bytes, what: str) -> object:
    try:
        return decode_json(data)
    except ValueError as error:
        raise MalformedRequestError(f"{what} is not valid JSON: {error}.") from None


def _check_values(variables: object) -> None:
    """Refuse text that no database can store, and more values than may be looked at."""
    waiting = [variables]
    count = 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if not is_storable(value):
                raise MalformedRequestError("The request has text with U+0000 or half a surrogate pair.")
        elif isinstance(value, (dict, list)):
            count += len(value)
            if count > MAX_VALUES:
                raise LimitExceededError(
                    f"The variables may have at most {MAX_VALUES} values.", limit="max_variable_values"
                )
            waiting.extend(value)
            if isinstance(value, dict):
                waiting.extend(value.values())
