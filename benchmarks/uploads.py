"""Large uploads, by multipart and by tus, beside a raw streaming PUT into a route that does nothing else.

Run as `python -m benchmarks.uploads`; a part of `make bench`.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import re
import secrets
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from benchmarks.arguments import WEIGHTS
from benchmarks.server import BenchServer

MIB = 2**20
UPLOAD_BYTES = 1024 * MIB
AIM_RATIO = 0.8
AIM_GROWTH_BYTES = 16 * MIB

_CREATE = """mutation($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { url } userErrors { message } } }"""
_MULTIPART = (
    "mutation($files: [Upload!]!) { uploadVideos(files: $files) { videos { id } userErrors { message } } }"
)
_BOUNDARY = "framewise-benchmark"
_TUS_CHUNK_BYTES = 16 * MIB


async def _put(request: Request) -> Response:
    """What anybody would write; with `?sha256=1` it hashes, as an upload has to."""
    sha256 = hashlib.sha256() if request.query_params.get("sha256") else None
    path = Path(request.app.state.directory) / "raw"
    with path.open("wb") as file:
        async for chunk in request.stream():
            file.write(chunk)
            if sha256 is not None:
                sha256.update(chunk)
    path.unlink()
    return PlainTextResponse("" if sha256 is None else sha256.hexdigest())


def _serve_plain(directory: str, listener: socket.socket) -> None:
    app = Starlette(routes=[Route("/raw", _put, methods=["PUT"])])
    app.state.directory = directory
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    asyncio.run(server.serve([listener]))


@contextmanager
def _plain_server(directory: Path) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    process = get_context("spawn").Process(target=_serve_plain, args=(str(directory), listener))
    process.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        process.terminate()
        process.join(10)
        listener.close()


def send(
    url: str,
    method: str,
    headers: dict[str, str],
    path: Path,
    part: tuple[int, int] | None = None,
    around: tuple[bytes, bytes] = (b"", b""),
) -> tuple[int, dict[str, str], bytes]:
    """Send a file, or a part of it, with as little work as a client can have; status, headers, body.

    Args:
        url: Where to.
        method: Of the request.
        headers: Besides Host and Content-Length.
        path: The file.
        part: Where it begins, and its length.
        around: What goes before and after it.
    """
    address = urlsplit(url)
    start, length = part or (0, path.stat().st_size)
    total_bytes = length + len(around[0]) + len(around[1])
    lines = {"Host": address.netloc, "Content-Length": str(total_bytes), "Connection": "close", **headers}
    head = f"{method} {address.path}{'?' + address.query if address.query else ''} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    with socket.create_connection((address.hostname, address.port)) as connection, path.open("rb") as file:
        connection.sendall(head.encode() + around[0])
        connection.sendfile(file, start, length)
        connection.sendall(around[1])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    top, _, body = answer.partition(b"\r\n\r\n")
    status, *rest = top.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in rest)
    return int(status.split()[1]), fields, body


class _Api:
    """The server that is measured: its address, its token, the process that takes uploads."""

    def __init__(self, server: BenchServer, data_dir: Path) -> None:
        self.url = server.url
        self.token = server.authorization
        self.files = data_dir / "files"
        self.pid = _api_process(server.pid)

    def multipart(self, path: Path) -> None:
        """The whole file in one GraphQL request."""
        fields = {
            "operations": json.dumps({"query": _MULTIPART, "variables": {"files": [None]}}),
            "map": json.dumps({"0": ["variables.files.0"]}),
        }
        head = "".join(
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        head += f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="0"; filename="x.mp4"\r\n\r\n'
        headers = {
            "Authorization": self.token,
            "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
        }
        around = (head.encode(), f"\r\n--{_BOUNDARY}--\r\n".encode())
        status, _, body = send(f"{self.url}/graphql", "POST", headers, path, around=around)
        if status != 200 or not json.loads(body)["data"]["uploadVideos"]["videos"]:
            raise RuntimeError(body)

    def tus(self, path: Path, chunk_bytes: int | None = None) -> None:
        """By tus, in one request or in chunks."""
        size_bytes = path.stat().st_size
        given = {"filename": "x.mp4", "sizeBytes": size_bytes}
        answer = httpx.post(
            f"{self.url}/graphql",
            json={"query": _CREATE, "variables": {"input": given}},
            headers={"Authorization": self.token},
        )
        url = answer.json()["data"]["createUpload"]["upload"]["url"]
        step = chunk_bytes or size_bytes
        for start in range(0, size_bytes, step):
            headers = {
                "Tus-Resumable": "1.0.0",
                "Content-Type": "application/offset+octet-stream",
                "Upload-Offset": str(start),
            }
            part = (start, min(step, size_bytes - start))
            status, fields, body = send(url, "PATCH", headers, path, part)
            if status != 204:
                raise RuntimeError(body)
        if "framewise-video" not in fields:
            raise RuntimeError(fields)

    def wait_until_cleared(self) -> None:
        """The file is no video: wait until it has been looked at and removed, so that it disturbs nobody."""
        deadline = time.monotonic() + 120
        while any(path.is_file() for path in self.files.rglob("*")):
            if time.monotonic() > deadline:
                raise RuntimeError("the uploaded file is not removed")
            time.sleep(0.1)


def _api_process(parent: int) -> int:
    """The process below this one that runs `framewise api`."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            found = re.search(r"PPid:\s+(\d+)", (folder / "status").read_text())
            if b"api" in words and found is not None and int(found[1]) == parent:
                return int(folder.name)
    raise RuntimeError("there is no API process")


class _Growth:
    """How much memory of a process grows in a block, by looking every few milliseconds."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self.largest_bytes = 0

    def _resident_bytes(self) -> int:
        found = re.search(r"VmRSS:\s+(\d+) kB", self._status.read_text())
        return int(found[1]) * 1024 if found else 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        before_bytes, is_over = self._resident_bytes(), threading.Event()

        def watch() -> None:
            while not is_over.wait(0.02):
                grown_bytes = self._resident_bytes() - before_bytes
                self.largest_bytes = max(self.largest_bytes, grown_bytes)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()


def measure_uploads(
    directory: Path, weights: Path, size_bytes: int, rounds: int
) -> tuple[dict[str, float], dict[str, int]]:
    """Median bytes a second of each way, and how much memory the API process grew by at most."""
    source = directory / "upload.bin"
    with source.open("wb") as file:
        for _ in range(size_bytes // MIB):
            file.write(os.urandom(MIB))
    speeds: dict[str, list[float]] = {}
    growth: dict[str, int] = {}
    with (
        _plain_server(directory) as plain,
        BenchServer(directory / "uploads", weights, slots=1) as server,
    ):
        api = _Api(server, directory / "uploads" / "data")
        ways: dict[str, Callable[[Path], Any]] = {
            "raw PUT": lambda path: send(f"{plain}/raw", "PUT", {}, path),
            "raw PUT, SHA-256": lambda path: send(f"{plain}/raw?sha256=1", "PUT", {}, path),
            "multipart": api.multipart,
            "tus, one request": api.tus,
            "tus, chunks of 16 MiB": lambda path: api.tus(path, _TUS_CHUNK_BYTES),
        }
        small = directory / "warm-up.bin"
        small.write_bytes(os.urandom(16 * MIB))
        for path in (small, *[source] * rounds):
            for name, way in ways.items():
                with path.open("r+b") as file:
                    file.write(secrets.token_bytes(32))  # never the same content
                watch = _Growth(api.pid)
                with watch.watched():
                    began = time.perf_counter()
                    way(path)
                    seconds = time.perf_counter() - began
                api.wait_until_cleared()
                if path is source:
                    speeds.setdefault(name, []).append(size_bytes / seconds)
                    growth[name] = max(growth.get(name, 0), watch.largest_bytes)
    return {name: statistics.median(values) for name, values in speeds.items()}, growth


def print_uploads(directory: Path, weights: Path, size_bytes: int, rounds: int) -> bool:
    """Measure and print; whether the aims were reached."""
    speeds, growth = measure_uploads(directory, weights, size_bytes, rounds)
    print(f"\nUpload of {size_bytes // MIB} MiB (median of {rounds})")
    print(f"  {'':<24}{'MiB/s':>8}{'of raw':>9}{'of raw with SHA-256':>22}{'memory of the API grew':>25}")
    is_reached = True
    for name, speed in speeds.items():
        ratios = speed / speeds["raw PUT"], speed / speeds["raw PUT, SHA-256"]
        is_ours = not name.startswith("raw")
        grown = f"{growth[name] / MIB:.1f} MiB" if is_ours else ""
        print(f"  {name:<24}{speed / MIB:8.0f}{ratios[0]:9.2f}{ratios[1]:22.2f}{grown:>25}")
        if is_ours:
            is_reached &= ratios[0] >= AIM_RATIO and growth[name] <= AIM_GROWTH_BYTES
    print(f"  aim: at least {AIM_RATIO} of raw, and at most {AIM_GROWTH_BYTES // MIB} MiB")
    return is_reached


def main() -> int:
    """Measure on a server of its own; 1 when an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uploads", description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--mib", type=int, default=UPLOAD_BYTES // MIB)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="framewise-uploads-") as folder:
        is_reached = print_uploads(Path(folder), options.weights, options.mib * MIB, options.rounds)
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
