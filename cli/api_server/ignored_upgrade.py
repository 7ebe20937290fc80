"""Requests that offer to go on in another protocol than WebSocket: an offer that a server may ignore.

https://www.rfc-editor.org/rfc/rfc9110#section-7.8. The parser takes all that follows such a head for the
other protocol, the body included. So a new one takes its place, which is told how the body is sent.
"""

from typing import Any

import httptools

_FRAMING = frozenset((b"connection", b"content-length", b"transfer-encoding"))

Headers = list[tuple[bytes, bytes]]


def parser_for(protocol: object) -> httptools.HttpRequestParser:
    """A parser with the one leniency that uvicorn's have."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def head_without_offer(method: str, http_version: str, headers: Headers) -> bytes:
    """A head behind which a parser expects the same body, without the header `Upgrade`.

    The headers were let through by another parser, so no line breaks are in them.
    """
    lines = [b"%b: %b\r\n" % header for header in headers if header[0] in _FRAMING]
    return f"{method} / HTTP/{http_version}\r\n".encode("ascii") + b"".join(lines) + b"\r\n"


def can_be_handshake(method: Any, headers: Headers) -> bool:
    """Whether it may open a WebSocket: a GET without a body."""
    return method == "GET" and not any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in headers
    )
