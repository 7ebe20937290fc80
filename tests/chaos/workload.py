"""A batch of analyses that never ends: clips are uploaded, analysed, compared and deleted, over and over."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.chaos.client import PatientApi
from tests.chaos.jobs import Job, fresh_content
from tests.chaos.results import differences, fetch_results, same_pictures, save

_STATES = """query($after: String, $status: [AnalysisStatus!]) {
  analyses(first: 100, after: $after, filter: {status: $status}) {
    edges { node { id status errorMessage } } pageInfo { hasNextPage endCursor } } }"""

_DELETED_SHARE = 0.6
"""Share of finished videos that are deleted at once; the others stay to the end."""


@dataclass
class Item:
    """One analysis on a video of its own."""

    job: Job
    video_id: str
    analysis_id: str
    status: str = "QUEUED"
    busy: bool = False
    """Somebody is in the middle of something with it."""
    touched_at: float = 0.0
    cancelled: bool = False
    """It was cancelled on purpose, for good."""
    deleted: bool = False
    checked: bool = False

    @property
    def is_open(self) -> bool:
        return not (self.cancelled or self.deleted or self.checked)


@dataclass
class Workload:
    """Keeps `backlog` analyses unfinished, and compares each that SUCCEEDED with the undisturbed run."""

    api: PatientApi
    jobs: Sequence[Job]
    media: Path
    directory: Path
    reference: dict[str, dict[str, bytes]]
    random: random.Random
    backlog: int = 5
    takes_upload_keys: bool = False
    items: list[Item] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    stopping: bool = False
    _queue: list[Job] = field(default_factory=list)

    @property
    def open_items(self) -> list[Item]:
        return [item for item in self.items if item.is_open]

    async def run(self) -> None:
        """Feed and check until `stop`, and then until all is checked."""
        while not self.stopping or self.open_items:
            while not self.stopping and len(self.open_items) < self.backlog:
                await self.add(self.next_job())
            await self.check()
            await asyncio.sleep(0.3)

    def next_job(self) -> Job:
        """One job after the other, in an order that changes."""
        if not self._queue:
            self._queue = list(self.jobs)
            self.random.shuffle(self._queue)
        return self._queue.pop()

    async def add(self, job: Job) -> Item:
        """Upload the clip of a job and analyse it."""
        clip = self.media / job.clip
        content = await asyncio.to_thread(fresh_content, clip, self.directory)
        key = uuid4().hex if self.takes_upload_keys else None
        payload = await self.api.upload(clip.name, content, job.settings, key)
        item = Item(job, payload["videos"][0]["id"], payload["analyses"][0]["id"])
        self.items.append(item)
        return item

    async def check(self) -> None:
        """Look how far all are, and compare what has SUCCEEDED since."""
        asked_at = time.monotonic()
        states = await self.states()
        for item in self.open_items:
            state = states.get(item.analysis_id)
            if item.busy or item.touched_at > asked_at:
                continue
            if state is None:
                self._fail(item, "is gone")
                continue
            item.status = state["status"]
            if item.status == "SUCCEEDED":
                item.busy = True
                await self._compare(item)
                item.busy = False
            elif item.status in ("FAILED", "CANCELLED"):
                self._fail(item, f"is {item.status}: {state['errorMessage']}")

    async def states(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        after = None
        while True:
            page = (await self.api.data(_STATES, after=after))["analyses"]
            found |= {edge["node"]["id"]: edge["node"] for edge in page["edges"]}
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    def _fail(self, item: Item, what: str) -> None:
        item.checked = True
        self.problems.append(f"{item.job.name} ({item.analysis_id}) {what}")

    async def _compare(self, item: Item) -> None:
        found = await fetch_results(self.api, item.analysis_id)
        expected = self.reference[item.job.name]
        different = differences(expected, found)
        if different == ["OVERLAY"] and await asyncio.to_thread(
            same_pictures, expected["OVERLAY"], found["OVERLAY"], self.directory
        ):
            self.compared["overlays with other bytes but the same pictures"] += 1
            different = []
        if different:
            folder = self.directory / "different" / item.analysis_id
            save(found, folder / "found")
            save(expected, folder / "expected")
            self._fail(item, f"differs in {', '.join(different)}")
            return
        item.checked = True
        self.compared[item.job.name] += 1
        if self.random.random() < _DELETED_SHARE:
            await self.api.delete("deleteVideo", item.video_id)
            item.deleted = True


async def run_undisturbed(
    api: PatientApi, jobs: Sequence[Job], media: Path, directory: Path
) -> dict[str, dict[str, bytes]]:
    """The result files of each job, by its name, from a server that nobody disturbs."""
    workload = Workload(api, jobs, media, directory, {}, random.Random(0))
    items = [await workload.add(job) for job in jobs]
    results: dict[str, dict[str, bytes]] = {}
    while len(results) < len(items):
        states = await workload.states()
        for item in items:
            state = states[item.analysis_id]
            if state["status"] == "SUCCEEDED" and item.job.name not in results:
                results[item.job.name] = await fetch_results(api, item.analysis_id)
            assert state["status"] in ("QUEUED", "RUNNING", "SUCCEEDED"), state
        await asyncio.sleep(0.2)
    return results
