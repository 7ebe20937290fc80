"""Multipart bodies, well-formed and not, and requests that deliver them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request

BOUNDARY = "a-boundary-of-the-tests"
QUERY = "mutation ($files: [Upload!]!) { uploadVideos(files: $files) { ok } }"


def part(name: str, value: bytes | str, filename: str | None = None, headers: str = "") -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n{headers}\r\n"
    return head.encode() + (value.encode() if isinstance(value, str) else value) + b"\r\n"


def body(*parts: bytes, end: str = f"--{BOUNDARY}--\r\n") -> bytes:
    return b"".join(parts) + end.encode()


def operations(variables: Any) -> bytes:
    return part("operations", json.dumps({"query": QUERY, "variables": variables}))


def file_map(paths: Any) -> bytes:
    return part("map", json.dumps(paths))


def files_body(*contents: bytes) -> bytes:
    """A well-formed request with files ``0.mp4``, ``1.mp4`` and so on."""
    return body(
        operations({"files": [None] * len(contents)}),
        file_map({str(number): [f"variables.files.{number}"] for number in range(len(contents))}),
        *(
            part(str(number), content, f"{number}.mp4", "Content-Type: video/mp4\r\n")
            for number, content in enumerate(contents)
        ),
    )


def chunked(data: bytes, size_bytes: int) -> list[bytes]:
    return [data[start : start + size_bytes] for start in range(0, len(data), size_bytes)]


def request_of(
    chunks: Iterable[bytes],
    *,
    headers: Mapping[str, str] | None = None,
    content_type: str = f"multipart/form-data; boundary={BOUNDARY}",
    disconnects: bool = False,
) -> Request:
    """A request whose body comes in `chunks`, and then either ends or breaks off."""
    sent = {"content-type": content_type, "graphql-require-preflight": "1", **(headers or {})}
    messages = iter(
        [
            *({"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks),
            {"type": "http.disconnect"} if disconnects else {"type": "http.request", "body": b""},
        ]
    )

    async def receive() -> Any:
        return next(messages)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
    }
    return Request(scope, receive)
