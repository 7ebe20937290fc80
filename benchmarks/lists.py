"""A list of 100 videos with 8 fields over HTTP: ours, from the database, beside two others.

Ours asks whose the request is and reads the page, two queries a request. A plain Starlette route under
uvicorn does only the second, by aiosqlite, and encodes what it finds; another does the same two by our own
way to read from SQLite. graphql-yoga on Node has the same rows in memory.
"""

import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from benchmarks.http_load import requests_per_second
from benchmarks.server import BenchServer
from domain.database import connect, disconnect
from domain.videos.models import Video, VideoStatus
from graphql_api.relay import find_uuid

CLIENTS = Path(__file__).resolve().parent.parent / "tests" / "clients"
QUERY = """query { videos(first: 100) { edges { node {
  id title filename status sizeBytes width durationSeconds createdAt } } } }"""
VIDEOS = 150
JSON = {"Content-Type": "application/json"}


def print_lists(directory: Path, weights: Path, rounds: int) -> None:
    """Measure each in turn, so that a noisy machine is noisy to all, and print medians and ratios."""
    with BenchServer(directory / "lists", weights, slots=1) as server:
        me = server.execute("{ me { id } }")["me"]["id"]
        owner_id = find_uuid(me, "User")
        assert owner_id is not None
        asyncio.run(_add_videos(server.database_url, owner_id))
        body = json.dumps({"query": QUERY}).encode()
        headers = {**JSON, "Authorization": server.authorization}
        ways: dict[str, Callable[[], float]] = {
            "framewise": lambda: requests_per_second(f"{server.url}/graphql", body, headers)
        }
        with (
            _plain(server, owner_id) as plain_url,
            _yoga(directory, server.execute(QUERY)) as yoga_url,
        ):
            ways["plain Starlette route"] = lambda: requests_per_second(f"{plain_url}/videos")
            ways["... our reader, session checked"] = lambda: requests_per_second(
                f"{plain_url}/mine", headers=headers
            )
            if yoga_url is not None:
                ways["graphql-yoga on Node"] = lambda: requests_per_second(yoga_url, body, JSON)
            figures: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(rounds):
                for name, measure in ways.items():
                    figures[name].append(measure())
    _print({name: statistics.median(values) for name, values in figures.items()})


def _print(figures: dict[str, float]) -> None:
    print("\n100 videos with 8 fields each over HTTP, requests a second (median)")
    for name, value in figures.items():
        print(f"  {name:<32} {value:8.0f}   framewise is {figures['framewise'] / value:5.2f} of it")


async def _add_videos(database_url: str, owner_id: UUID) -> None:
    await connect(database_url)
    began = datetime.now(UTC) - timedelta(days=1)
    await Video.bulk_create(
        Video(
            id=uuid4(),
            owner_id=owner_id,
            title=f"Front door, camera {number}",
            filename=f"front-door-{number:04}.mp4",
            storage_key=f"benchmark/{number}",
            status=VideoStatus.READY,
            size_bytes=10_000_000 + number,
            sha256=f"{number:064}",
            width=1280,
            height=720,
            duration_seconds=12.5 + number,
            created_at=began + timedelta(seconds=number),
        )
        for number in range(VIDEOS)
    )
    await disconnect()


@contextmanager
def _plain(server: BenchServer, owner_id: UUID) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor = listener.fileno()
        command = [
            sys.executable,
            "-m",
            "benchmarks.plain_list",
            server.database_url,
            str(server.data_dir),
            str(owner_id),
            str(descriptor),
        ]
        process = subprocess.Popen(command, pass_fds=[descriptor])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def _yoga(directory: Path, answer: dict[str, object]) -> Iterator[str | None]:
    node = shutil.which("node")
    if node is None or not (CLIENTS / "node_modules" / "graphql-yoga").is_dir():
        print("\ngraphql-yoga is left out: it needs Node and `npm ci` in tests/clients")
        yield None
        return
    rows = directory / "rows.json"
    videos: dict[str, list[dict[str, object]]] = answer["videos"]  # type: ignore[assignment]
    rows.write_text(json.dumps([edge["node"] for edge in videos["edges"]]))
    command = [node, str(Path(__file__).with_name("yoga_list.mjs")), str(CLIENTS), str(rows)]
    environment = {**os.environ, "NODE_ENV": "production"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/graphql"
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory(prefix="framewise-bench-") as folder:
        print_lists(Path(folder), Path(sys.argv[1] if len(sys.argv) > 1 else folder), rounds=3)
