"""A light HTTP/1.1 client: the same request again and again on a few connections that stay open.

Run as `python -m benchmarks.http_load` with a JSON object on its standard input; it prints requests a second.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import uvloop

CONNECTIONS = 4
WARM_UP_SECONDS = 1.0


def requests_per_second(
    url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, *, seconds: float = 3.0
) -> float:
    """The rate at which a server answers, measured by a process of its own."""
    task = {
        "url": url,
        "body": None if body is None else body.decode(),
        "headers": dict(headers or {}),
        "seconds": seconds,
    }
    command = [sys.executable, "-m", "benchmarks.http_load"]
    done = subprocess.run(command, input=json.dumps(task).encode(), stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


class _Connection(asyncio.Protocol):
    """Sends the request, and once more for each whole answer."""

    def __init__(self, request: bytes) -> None:
        self.answers = 0
        self._request = request
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not _is_whole(self._received):
            return
        if not self._received.startswith(b"HTTP/1.1 200") or b'"errors"' in self._received:
            sys.exit(f"an answer to measure is none: {bytes(self._received[:500])!r}")
        self.answers += 1
        self._received.clear()
        self.transport.write(self._request)


def _is_whole(received: bytearray) -> bool:
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    head = bytes(received[:head_end]).lower()
    if b"transfer-encoding: chunked" in head:
        return received.endswith(b"\r\n0\r\n\r\n")
    start = head.index(b"content-length:") + len(b"content-length:")
    return len(received) >= head_end + 4 + int(head[start:].split(b"\r\n", 1)[0])


async def _measure(url: str, body: str | None, headers: dict[str, str], seconds: float) -> float:
    parts = urlsplit(url)
    content = (body or "").encode()
    lines = [f"{'GET' if body is None else 'POST'} {parts.path} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(content)}")
    request = "\r\n".join([*lines, "", ""]).encode() + content
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Connection(request), parts.hostname, parts.port)
        for _ in range(CONNECTIONS)
    ]
    connections = [protocol for _, protocol in made]
    await asyncio.sleep(WARM_UP_SECONDS)
    before, begun = sum(one.answers for one in connections), time.perf_counter()
    await asyncio.sleep(seconds)
    answered = sum(one.answers for one in connections) - before
    rate = answered / (time.perf_counter() - begun)
    for one in connections:
        one.transport.abort()
    return rate


if __name__ == "__main__":
    print(uvloop.run(_measure(**json.load(sys.stdin))))
