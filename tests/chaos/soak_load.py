"""Full load on a server: people who upload, analyse, look, steer, listen and delete, without end."""

import asyncio
import contextlib
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websockets

from tests.chaos.client import PatientApi
from tests.chaos.jobs import fresh_content

CLIPS = (
    "gestures/eat.mkv",
    "gestures/milk.mkv",
    "gestures/help.mkv",
    "short_hamilton_clip.mp4",
    "nasa_13013.mp4",
)
MODELS = ("yunet-2026may", "yolox-nano", "yunet-2023mar")
TRACKERS = ("NONE", "SORT", "BYTE_TRACK", "OC_SORT", "BOT_SORT")
_KEPT_VIDEOS = 3
"""Videos a person keeps before the oldest is deleted."""
_HASTY_SHARE = 0.05
"""Share of videos that are deleted while they are at work."""

_STATE = """query($id: ID!) { analysis(id: $id) { status progress errorMessage counts { label detections tracks }
  video { id status filename url thumbnailUrl } tracks(first: 20) { edges { node { trackId label } } } } }"""
_LIST = """{ me { username } videos(first: 20) { edges { node { id filename status url
  analyses(first: 5) { edges { node { id status progress } } } } } } mlModels { name labels } }"""
_START = """mutation($input: StartAnalysisInput!) { startAnalysis(input: $input) {
  analysis { id } userErrors { code message } } }"""
_PROGRESS = """subscription($id: ID!) { analysisProgress(id: $id) {
  status progress framesDone framesTotal counts { label detections tracks } } }"""
_MINE = "subscription { myAnalysesProgress { analysisId status progress } }"


@dataclass
class Load:
    """What was done so far."""

    random: random.Random
    media: Path
    scratch: Path
    done: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def completed(self) -> int:
        return self.done["analyses SUCCEEDED"]


async def be_a_person(load: Load, api: PatientApi) -> None:
    """Upload, analyse, analyse again in another way, delete what is old; for ever."""
    videos: list[str] = []
    while True:
        clip = load.media / load.random.choice(CLIPS)
        content = await asyncio.to_thread(fresh_content, clip, load.scratch)
        payload = await api.upload(clip.name, content, _settings(load))
        load.done["uploads"] += 1
        videos.append(payload["videos"][0]["id"])
        if load.random.random() < _HASTY_SHARE:
            await asyncio.sleep(load.random.uniform(0.0, 2.0))
            await api.delete("deleteVideo", videos.pop())
            load.done["videos deleted at work"] += 1
            continue
        await _follow(load, api, payload["analyses"][0]["id"])
        if load.random.random() < 0.4:
            started = (await api.data(_START, input={"videoId": videos[-1], "settings": _settings(load)}))[
                "startAnalysis"
            ]
            if started["analysis"] is not None:
                await _follow(load, api, started["analysis"]["id"])
        while len(videos) > _KEPT_VIDEOS:
            await api.delete("deleteVideo", videos.pop(0))
            load.done["deleted videos"] += 1


def _settings(load: Load) -> dict[str, Any]:
    return {
        "mlModel": load.random.choice(MODELS),
        "tracker": load.random.choice(TRACKERS),
        "minConfidence": load.random.choice((0.3, 0.5, 0.6)),
        "frameStride": load.random.choice((1, 1, 2)),
        "overlay": load.random.random() < 0.15,
    }


async def _follow(load: Load, api: PatientApi, analysis_id: str) -> None:
    """Look at an analysis until its end; now and then pause or cancel it, or listen to it."""
    steering = asyncio.create_task(_perhaps_steer(load, api, analysis_id))
    listening = None
    if load.random.random() < 0.5:
        listening = asyncio.create_task(_listen(load, api, _PROGRESS, {"id": analysis_id}, 60.0))
    try:
        while True:
            state = (await api.data(_STATE, id=analysis_id))["analysis"]
            load.done["queries"] += 1
            if state["status"] not in ("QUEUED", "RUNNING", "PAUSED"):
                break
            await asyncio.sleep(load.random.uniform(0.1, 0.6))
        load.done[f"analyses {state['status']}"] += 1
        if state["status"] == "FAILED":
            load.problems.append(str(state["errorMessage"]))
    finally:
        await steering
        if listening is not None:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening


async def _perhaps_steer(load: Load, api: PatientApi, analysis_id: str) -> None:
    """Pause one in eight for a moment, cancel one in twenty."""
    chance = load.random.random()
    if chance < 0.175:
        await asyncio.sleep(load.random.uniform(0.0, 3.0))
    if chance < 0.05:
        await api.steer("cancelAnalysis", analysis_id)
    elif chance < 0.175:
        await api.steer("pauseAnalysis", analysis_id)
        await asyncio.sleep(load.random.uniform(0.0, 0.5))
        await api.steer("resumeAnalysis", analysis_id)
        load.done["pauses"] += 1


async def browse(load: Load, api: PatientApi) -> None:
    """List everything, again and again."""
    while True:
        await api.data(_LIST)
        load.done["queries"] += 1
        await asyncio.sleep(load.random.uniform(0.1, 1.0))


async def listen_in_turns(load: Load, api: PatientApi) -> None:
    """Subscribe to everything of one's own for a while, leave, and come back."""
    while True:
        await _listen(load, api, _MINE, {}, load.random.uniform(1.0, 30.0))
        await asyncio.sleep(load.random.uniform(0.0, 2.0))


async def _listen(load: Load, api: PatientApi, query: str, variables: dict[str, Any], seconds: float) -> None:
    """One socket with one subscription, for so long or until it ends; half of them leave without a word."""
    address = api.url.replace("http", "ws", 1) + "/graphql"
    try:
        async with (
            asyncio.timeout(seconds),
            websockets.connect(
                address, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]
            ) as socket,
        ):
            sign_in = {"type": "connection_init", "payload": {"Authorization": f"Bearer {api.token}"}}
            await socket.send(json.dumps(sign_in))
            await socket.recv()
            request = {"query": query, "variables": variables}
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": request}))
            load.done["subscriptions"] += 1
            async for text in socket:
                message = json.loads(text)
                load.done["subscription messages"] += message["type"] == "next"
                if message["type"] in ("complete", "error"):
                    return
            if load.random.random() < 0.5:
                await socket.send(json.dumps({"type": "complete", "id": "1"}))
    except (TimeoutError, websockets.WebSocketException, OSError):
        pass
