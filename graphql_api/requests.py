"""GraphQL requests as they come in, from any transport: decoded and checked for shape, not yet for sense."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from domain.errors import LimitExceededError
from domain.text import is_storable

_NUL_IN_DOCUMENT = re.compile(r"\x00|\\u0000|\\u\{0+\}")


class MalformedRequestError(Exception):
    """Raised when what came in is not a GraphQL request; its text tells the client why."""


@dataclass(frozen=True)
class GraphQLRequest:
    """An operation to execute."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None


def decode_json(data: str | bytes) -> object:
    """Decode JSON that is valid UTF-8, without lone surrogates, and at most 1024 levels deep.

    Raises:
        JSONDecodeError: It is not.
    """
    return orjson.loads(data)


async def read_body(request: Request, max_bytes: int) -> object:
    """The JSON value in the body.

    Raises:
        LimitExceededError: The body is longer than `max_bytes`; it is not read further.
        MalformedRequestError: It is not JSON.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise LimitExceededError(
                f"A GraphQL request may have at most {max_bytes} bytes.", limit="max_graphql_body_bytes"
            )
    return _decoded(bytes(body), "The body")


def read_query_parameters(parameters: Mapping[str, str]) -> GraphQLRequest:
    """The request in the query parameters of a GET.

    Raises:
        MalformedRequestError: They make no GraphQL request.
    """
    fields: dict[str, object] = {
        name: parameters[name] for name in ("query", "operationName") if parameters.get(name)
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
    if not isinstance(query, str) or not query.strip():
        raise MalformedRequestError("`query` must be a string with a GraphQL document.")
    operation_name = fields.get("operationName")
    if not isinstance(operation_name, (str, type(None))):
        raise MalformedRequestError("`operationName` must be a string or null.")
    for name in ("variables", "extensions"):
        if not isinstance(fields.get(name), (dict, type(None))):
            raise MalformedRequestError(f"`{name}` must be an object or null.")
    if _NUL_IN_DOCUMENT.search(query) or not _are_storable([query, fields.get("variables")]):
        raise MalformedRequestError("The request has text with U+0000 or half a surrogate pair.")
    return GraphQLRequest(query, fields.get("variables"), operation_name, fields.get("extensions"))


def _decoded(data: str | bytes, what: str) -> object:
    try:
        return decode_json(data)
    except ValueError as error:
        raise MalformedRequestError(f"{what} is not valid JSON: {error}.") from None


def _are_storable(variables: object) -> bool:
    waiting = [variables]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if not is_storable(value):
                return False
        elif isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return True
