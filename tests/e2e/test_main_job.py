"""Upload, watch, read: with the clients that people use."""

import asyncio
import json
from pathlib import Path

import av
import pytest
from gql import Client, FileVar, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.websockets import WebsocketsTransport

from tests.e2e.server import fetch

pytestmark = pytest.mark.xdist_group("server")

MARKER = {"mlModel": "frame-marker", "tracker": "NONE", "minConfidence": 0}


async def test_graphql_ws_sees_it_live_and_a_late_subscriber_sees_the_end(
    server, api, media_dir, node_clients
):
    async with node_clients.start("watch_mine.mjs", url=server.url, token=api.token) as early:
        assert await early.next() == {"event": "connected"}
        settings = {"mlModel": "yunet-2026may"}
        uploaded = await api.upload(media_dir / "bottle-detection.mp4", analyze=settings)
        analysis_id = uploaded["analyses"][0]["id"]
        arguments = ("watch_analysis.mjs", analysis_id)
        async with node_clients.start(*arguments, url=server.url, token=api.token) as watcher:
            events = await watcher.rest()
        seen = [event["data"] for event in events if event["event"] == "next"]
        mine = []
        while not mine or mine[-1]["status"] != "SUCCEEDED":
            mine.append((await early.next())["data"])
    for states in (seen, mine):
        progress = [state["progress"] for state in states]
        assert progress == sorted(progress)
        assert states[-1]["status"] == "SUCCEEDED"
        assert (progress[-1], states[-1]["framesDone"], states[-1]["framesTotal"]) == (100, 1189, 1189)
        assert [state["status"] for state in states].count("SUCCEEDED") == 1
        assert len({state["framesDone"] for state in states}) > 3
    assert any(0 < event["data"]["progress"] < 100 for event in events if event["event"] == "next")
    assert [event["event"] for event in events if event["event"] in ("complete", "error")] == ["complete"]
    async with node_clients.start(*arguments, url=server.url, token=api.token) as late:
        events = await late.rest()
    finals = [event["data"] for event in events if event["event"] == "next"]
    assert finals == [seen[-1]]
    assert "complete" in [event["event"] for event in events]


async def test_the_python_gql_client_uploads_two_files_and_subscribes(server, api, media_dir):
    headers = {"Authorization": f"Bearer {api.token}"}
    clips = [media_dir / "gestures" / "eat.mkv", media_dir / "gestures" / "milk.mkv"]
    upload = gql("""mutation($files: [Upload!]!, $analyze: AnalysisSettingsInput) {
        uploadVideos(files: $files, analyze: $analyze) { videos { filename } analyses { id } userErrors { message } } }""")
    upload.variable_values = {"files": [FileVar(str(clip)) for clip in clips], "analyze": MARKER}
    async with Client(transport=AIOHTTPTransport(f"{server.url}/graphql", headers=headers)) as session:
        payload = (await session.execute(upload, upload_files=True))["uploadVideos"]
    assert [video["filename"] for video in payload["videos"]] == ["eat.mkv", "milk.mkv"]
    assert payload["userErrors"] == []
    transport = WebsocketsTransport(
        f"{server.url.replace('http', 'ws')}/graphql", init_payload={"Authorization": f"Bearer {api.token}"}
    )
    watch = gql("subscription($id: ID!) { analysisProgress(id: $id) { status framesDone } }")
    async with Client(transport=transport) as session:
        for analysis, frames in zip(payload["analyses"], (47, 51), strict=True):
            watch.variable_values = {"id": analysis["id"]}
            states = [one["analysisProgress"] async for one in session.subscribe(watch)]
            assert states[-1] == {"status": "SUCCEEDED", "framesDone": frames}


async def test_detections_tracks_results_and_overlay_can_be_read(api, media_dir, tmp_path):
    clip = media_dir / "short_hamilton_clip.mp4"
    uploaded = await api.upload(clip, analyze={"mlModel": "yunet-2026may", "overlay": True})
    analysis_id = uploaded["analyses"][0]["id"]
    finished = await api.finished(analysis_id)
    assert finished["status"] == "SUCCEEDED", finished
    detections = await _all_detections(api, analysis_id)
    assert finished["counts"][0]["detections"] == len(detections) > 200
    window = await _all_detections(api, analysis_id, "fromSeconds: 3, toSeconds: 5")
    assert window == [one for one in detections if 3 <= one["timestampSeconds"] < 5]
    results = await api.data(
        """query($id: ID!) { analysis(id: $id) { overlayUrl json: resultUrl csv: resultUrl(format: CSV)
        tracks(first: 100) { edges { node { trackId detectionCount firstSeconds lastSeconds meanConfidence } } } } }""",
        id=analysis_id,
    )
    analysis = results["analysis"]
    document = (await fetch(analysis["json"])).json()
    flat = [(frame["frameIndex"], len(frame["detections"])) for frame in document["frames"]]
    assert sum(count for _, count in flat) == len(detections)
    assert len(document["tracks"]) == len(analysis["tracks"]["edges"]) == finished["counts"][0]["tracks"]
    lines = (await fetch(analysis["csv"])).text.splitlines()
    assert len(lines) == len(detections) + 1
    overlay = tmp_path / "overlay.mp4"
    overlay.write_bytes((await fetch(analysis["overlayUrl"])).content)
    assert _streams_and_times(overlay) == _streams_and_times(clip)
    part = await fetch(analysis["overlayUrl"], Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, overlay.read_bytes()[10:20])


def _streams_and_times(path: Path) -> tuple[list[str], list[float]]:
    with av.open(str(path)) as container:
        kinds = sorted(stream.type for stream in container.streams if stream.type in ("video", "audio"))
        first = None
        times = []
        for frame in container.decode(video=0):
            first = frame.time if first is None else first
            times.append(round(frame.time - first, 2))
    return kinds, times


async def _all_detections(api, analysis_id: str, arguments: str = "first: 100") -> list[dict]:
    query = f"""query($id: ID!, $after: String) {{ analysis(id: $id) {{ detections({arguments}, after: $after) {{
        edges {{ node {{ frameIndex timestampSeconds label confidence trackId box {{ x y width height }} }} }}
        pageInfo {{ hasNextPage endCursor }} }} }} }}"""
    found, after = [], None
    while True:
        page = (await api.data(query, id=analysis_id, after=after))["analysis"]["detections"]
        found += [edge["node"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


async def test_pause_resume_and_cancel_over_the_api(api, media_dir):
    uploaded = await api.upload(media_dir / "gestures" / "walk.mkv", analyze={**MARKER, "mlModel": "sleeps"})
    analysis_id = uploaded["analyses"][0]["id"]
    async with asyncio.timeout(60):
        while (await api.analysis(analysis_id))["status"] != "RUNNING":
            await asyncio.sleep(0.05)

    async def steer(action: str) -> tuple[str | None, list[str]]:
        mutation = (
            f"mutation($id: ID!) {{ {action}(id: $id) {{ analysis {{ status }} userErrors {{ code }} }} }}"
        )
        payload = (await api.data(mutation, id=analysis_id))[action]
        return (payload["analysis"] or {}).get("status"), [error["code"] for error in payload["userErrors"]]

    assert await steer("pauseAnalysis") == ("PAUSED", [])
    assert await steer("pauseAnalysis") == ("PAUSED", [])
    assert (await steer("resumeAnalysis"))[0] in ("QUEUED", "RUNNING")
    assert await steer("cancelAnalysis") == ("CANCELLED", [])
    assert await steer("resumeAnalysis") == (None, ["CONFLICT"])


async def test_deleting_a_video_removes_its_files(server, api, media_dir):
    uploaded = await api.upload(media_dir / "gestures" / "help.mkv", analyze=MARKER)
    await api.finished(uploaded["analyses"][0]["id"])
    video_id = uploaded["videos"][0]["id"]
    url = (await api.probed(video_id))["url"]
    assert (await fetch(url)).status_code == 200
    payload = await api.data(
        "mutation($id: ID!) { deleteVideo(id: $id) { deletedId userErrors { message } } }", id=video_id
    )
    assert payload["deleteVideo"] == {"deletedId": video_id, "userErrors": []}
    assert (await fetch(url)).status_code == 404
    assert (await api.data("query($id: ID!) { video(id: $id) { id } }", id=video_id))["video"] is None
    left = [path.name for path in (server.data_dir / "files").rglob("*") if path.is_file()]
    assert "help.mkv" not in json.dumps(left)
