"""graphql-transport-ws as a state machine without I/O: frames in, what is to be done out.

It follows the server of the npm package `graphql-ws`. It is stricter where that one is careless: a frame that
only servers send, a binary one, and text that no database stores are malformed.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import orjson

from graphql_api.http.requests import GraphQLRequest, MalformedRequestError, decode_json, request_from

SUBPROTOCOL = "graphql-transport-ws"


class CloseCode(IntEnum):
    """Why the server closes a socket."""

    TRY_AGAIN_LATER = 1013
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INIT_TIMEOUT = 4408
    SUBSCRIBER_ALREADY_EXISTS = 4409
    TOO_MANY_INITS = 4429
    INTERNAL_ERROR = 4500


@dataclass(frozen=True)
class Connect:
    """The client wants in."""

    parameters: dict[str, Any] | None


@dataclass(frozen=True)
class Reply:
    """A frame is to be sent back."""

    text: str


@dataclass(frozen=True)
class Start:
    """An operation begins."""

    id: str
    request: GraphQLRequest


@dataclass(frozen=True)
class Stop:
    """The client wants no more of an operation; it may have ended by itself."""

    id: str


@dataclass(frozen=True)
class Close:
    """The socket is to be closed."""

    code: CloseCode
    reason: str


Action: TypeAlias = Connect | Reply | Start | Stop | Close


class Protocol:
    """The state of one socket.

    Args:
        max_characters: The longest frame.
    """

    def __init__(self, max_characters: int) -> None:
        self._max_characters = max_characters
        self.init_received = False
        self.acknowledged = False
        self.operation_ids: set[str] = set()
        """The ids in use. Whoever runs the operations discards those that have ended."""

    def receive(self, text: str | None) -> Action | None:
        """What follows from a frame; None for a binary one's text."""
        try:
            return self._answer(_frame(text, self._max_characters))
        except MalformedRequestError as error:
            return Close(CloseCode.BAD_REQUEST, str(error))

    def _answer(self, frame: dict[str, Any]) -> Action | None:
        match frame["type"]:
            case "subscribe":
                return self._subscribe(_id(frame), request_from(frame.get("payload")))
            case "complete":
                self.operation_ids.discard(_id(frame))
                return Stop(frame["id"])
            case "connection_init":
                return self._connect(_payload(frame))
            case "ping":
                return Reply(_typed("pong", _payload(frame)))
            case "pong":
                _payload(frame)
                return None
        raise MalformedRequestError(f"A client sends no frame of type {frame['type'][:40]!r}")

    def _connect(self, parameters: dict[str, Any] | None) -> Action:
        if self.init_received:
            return Close(CloseCode.TOO_MANY_INITS, "Too many initialisation requests")
        self.init_received = True
        return Connect(parameters)

    def _subscribe(self, operation_id: str, request: GraphQLRequest) -> Action:
        if not self.acknowledged:
            return Close(CloseCode.UNAUTHORIZED, "Unauthorized")
        if operation_id in self.operation_ids:
            return Close(CloseCode.SUBSCRIBER_ALREADY_EXISTS, f"Subscriber for {operation_id} already exists")
        self.operation_ids.add(operation_id)
        return Start(operation_id, request)


def acknowledgement(payload: dict[str, Any] | None = None) -> str:
    """The frame that lets a client in."""
    return _typed("connection_ack", payload)


def next_frame_start(operation_id: str) -> str:
    """What a `next` frame is before its payload; after it comes `}`."""
    return f'{{"id":{_json(operation_id)},"type":"next","payload":'


def error_frame(operation_id: str, errors: list[Any]) -> str:
    """The frame that ends an operation with errors."""
    return _json({"id": operation_id, "type": "error", "payload": errors})


def complete_frame(operation_id: str) -> str:
    """The frame that ends an operation."""
    return f'{{"id":{_json(operation_id)},"type":"complete"}}'


def close_reason(text: str) -> str:
    """As much of a text as a close frame carries: 125 bytes, two of them the code."""
    return text.encode()[:123].decode(errors="ignore")


def _frame(text: str | None, max_characters: int) -> dict[str, Any]:
    if text is None:
        raise MalformedRequestError("A frame is text, not binary")
    if len(text) > max_characters:
        raise MalformedRequestError(
            f"A frame has at most {max_characters} characters (limit: max_graphql_body_bytes)"
        )
    try:
        frame = decode_json(text)
    except ValueError:
        raise MalformedRequestError("A frame is valid JSON") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise MalformedRequestError("A frame is a JSON object with a `type`")
    return frame


def _id(frame: dict[str, Any]) -> str:
    operation_id = frame.get("id")
    if not isinstance(operation_id, str) or not operation_id:
        raise MalformedRequestError("`id` must be a string that is not empty")
    return operation_id


def _payload(frame: dict[str, Any]) -> dict[str, Any] | None:
    payload = frame.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise MalformedRequestError("`payload` must be an object or null")
    return payload


def _typed(name: str, payload: dict[str, Any] | None) -> str:
    return _json({"type": name} if payload is None else {"type": name, "payload": payload})


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
