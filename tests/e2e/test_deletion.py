"""Deleting what is at work: it stops, its subscription ends, and nothing of it is left."""

import asyncio
import json
import sqlite3
from pathlib import Path
from uuid import UUID

import pytest

from graphql_api.relay import require_uuid
from tests.e2e.server import PASSWORD, Server
from tests.graphql_api.serving import opened

pytestmark = pytest.mark.xdist_group("server")

SLOW = {"mlModel": "sleeps", "minConfidence": 0, "tracker": "NONE"}
PROGRESS = "subscription($id: ID!) { analysisProgress(id: $id) { status } }"


def uuid_of(global_id: str, kind: str) -> UUID:
    return require_uuid(global_id, kind, "id")


def stored(server: Server, *names: UUID) -> list[str]:
    """Stored files that have one of these ids in their key."""
    files = server.data_dir / "files"
    keys = [path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()]
    return [key for key in keys if any(str(name) in key for name in names)]


def rows(server: Server, statement: str, *values: object) -> list[tuple]:
    connection = sqlite3.connect(server.data_dir / "framewise.sqlite3")
    try:
        return connection.execute(statement, [str(value) for value in values]).fetchall()
    finally:
        connection.close()


async def running(api, analysis_id: str) -> None:
    async with asyncio.timeout(60):
        while (await api.analysis(analysis_id))["status"] != "RUNNING":
            await asyncio.sleep(0.05)


async def watched_to_its_end(server: Server, api, analysis_id: str, started: asyncio.Event) -> list[str]:
    """The statuses that a subscription sends until it completes by itself."""
    statuses = []
    async with opened(f"{server.url.replace('http', 'ws')}/graphql") as socket:
        await socket.init({"Authorization": f"Bearer {api.token}"})
        payload = {"query": PROGRESS, "variables": {"id": analysis_id}}
        await socket.send({"type": "subscribe", "id": "1", "payload": payload})
        async with asyncio.timeout(60):
            while True:
                message = json.loads(await socket.connection.recv())
                if message["type"] == "complete":
                    return statuses
                assert message["type"] in ("next", "ping"), message
                if message["type"] == "next":
                    statuses.append(message["payload"]["data"]["analysisProgress"]["status"])
                    started.set()


async def test_a_running_analysis_is_deleted_and_its_subscription_ends(server, api, media_dir: Path):
    clip = media_dir / "gestures" / "walk.mkv"
    uploaded = await api.upload(clip, analyze=SLOW)
    video_id, analysis_id = uploaded["videos"][0]["id"], uploaded["analyses"][0]["id"]
    await running(api, analysis_id)
    started = asyncio.Event()
    watching = asyncio.create_task(watched_to_its_end(server, api, analysis_id, started))
    await asyncio.wait_for(started.wait(), 60)
    payload = await api.data(
        "mutation($id: ID!) { deleteAnalysis(id: $id) { deletedId userErrors { code } } }", id=analysis_id
    )
    assert payload["deleteAnalysis"] == {"deletedId": analysis_id, "userErrors": []}
    assert await api.data("query($id: ID!) { analysis(id: $id) { id } }", id=analysis_id) == {
        "analysis": None
    }
    assert "RUNNING" in await watching
    key = uuid_of(analysis_id, "Analysis")
    assert rows(server, "SELECT 1 FROM segments WHERE analysis_id = ?", key) == []
    assert stored(server, key) == []
    # Its slot is free: another analysis of the same video runs to its end.
    again = await api.data(
        """mutation($id: ID!) { startAnalysis(input: {videoId: $id, settings: {mlModel: "opencv-haar-face", frameStride: 50}})
            { analysis { id } } }""",
        id=video_id,
    )
    assert (await api.finished(again["startAnalysis"]["analysis"]["id"]))["status"] == "SUCCEEDED"


async def test_an_account_goes_while_its_videos_are_analysed(server, media_dir: Path):
    api = await server.sign_up("leaves-soon")
    clips = [media_dir / "gestures" / name for name in ("walk.mkv", "eat.mkv", "help.mkv")]
    uploaded = await api.upload(*clips, analyze=SLOW)
    await running(api, uploaded["analyses"][0]["id"])
    me = (await api.data("{ me { id } }"))["me"]["id"]
    ids = [uuid_of(video["id"], "Video") for video in uploaded["videos"]]
    ids += [uuid_of(analysis["id"], "Analysis") for analysis in uploaded["analyses"]]
    keys = [
        row[0] for video in ids for row in rows(server, "SELECT storage_key FROM videos WHERE id = ?", video)
    ]
    answer = await api.data(
        "mutation($password: String!) { deleteAccount(password: $password) { deletedId userErrors { code } } }",
        password=PASSWORD,
    )
    assert answer["deleteAccount"] == {"deletedId": me, "userErrors": []}
    [error] = (await api.execute("{ me { id } }"))["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    owner = uuid_of(me, "User")
    for table in ("videos", "analyses", "events"):
        assert rows(server, f"SELECT 1 FROM {table} WHERE owner_id = ?", owner) == []
    assert rows(server, "SELECT 1 FROM users WHERE id = ?", owner) == []
    async with asyncio.timeout(60):
        while stored(server, *ids):
            await asyncio.sleep(0.1)
    others = {row[0] for row in rows(server, "SELECT storage_key FROM videos")}
    assert [key for key in keys if key not in others and (server.data_dir / "files" / key).exists()] == []
    again = await server.sign_up("leaves-soon")
    assert (await again.data("{ videos { edges { node { id } } } }"))["videos"]["edges"] == []
