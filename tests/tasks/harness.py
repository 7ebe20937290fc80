"""A worker without Redis and HTTP: real database, storage and analysis processes in the test's event loop."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from domain.accounts.models import User
from domain.analyses.files import ResultFormat, result_key
from domain.analyses.models import Analysis
from domain.analyses.progress import ProgressSnapshot
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.videos.models import Video
from domain.videos.service import NewVideo, create_video
from settings import Settings
from storage.local import LocalStorage
from tasks.process.options import process_options
from tasks.process.pool import ProcessPool
from tasks.runtime import Runtime
from tasks.scheduler import work_until_done
from tests.databases import connected


@dataclass
class CollectedProgress:
    """Takes the place of Redis: keeps what would have been published."""

    snapshots: list[ProgressSnapshot] = field(default_factory=list)

    async def publish(self, _channel: str, data: bytes) -> None:
        self.snapshots.append(ProgressSnapshot.from_json(data))


@dataclass
class Harness:
    runtime: Runtime
    owner: User
    progress: CollectedProgress

    async def add_video(self, path: Path) -> Video:
        data = await asyncio.to_thread(path.read_bytes)
        key = f"uploads/{uuid4()}"
        await self.runtime.storage.put(key, data)
        new = NewVideo(path.name, key, len(data), hashlib.sha256(data).hexdigest())
        return await create_video(self.owner.id, new, max_videos_per_user=1000)

    async def analyse(self, path: Path, settings: AnalysisSettings) -> Analysis:
        video = await self.add_video(path)
        analysis = await create_analysis(self.owner.id, video, settings)
        await self.work()
        return await Analysis.get(id=analysis.id)

    async def work(self) -> None:
        """Work on all slots until nothing is left to do."""
        await asyncio.gather(*(self._work_on_one_slot() for _ in range(self.runtime.settings.slots)))

    async def _work_on_one_slot(self) -> None:
        while await _is_unfinished():
            await work_until_done(self.runtime)
            await asyncio.sleep(0.01)

    async def result(self, analysis: Analysis, result_format: ResultFormat) -> bytes:
        return await self.runtime.storage.get(result_key(analysis.id, result_format))


async def _is_unfinished() -> bool:
    probing = await Video.filter(status="PROBING").exists()
    return probing or await Analysis.filter(status__in=["QUEUED", "RUNNING"]).exists()


async def _no_ring() -> None:
    pass


@asynccontextmanager
async def harness(directory: Path, weights_dir: Path | None, **changes: Any) -> AsyncIterator[Harness]:
    """An empty installation in `directory` with its worker; `changes` are settings."""
    directory.mkdir(parents=True, exist_ok=True)
    defaults = {"slots": 2, "progress_interval_seconds": 0.05, "weights_mirror": str(weights_dir or "")}
    settings = Settings(data_dir=directory, **{**defaults, **changes})
    storage = LocalStorage(directory / "files")
    await storage.prepare()
    pool = ProcessPool(settings.slots, replace(process_options(settings, network=False), spares=0))
    async with connected(f"sqlite://{directory / 'test.sqlite3'}"):
        pool.open()
        try:
            owner = await User.create(username="ada", username_key="ada", password_hash="x")
            progress = CollectedProgress()
            runtime = Runtime(settings=settings, storage=storage, redis=progress, pool=pool, ring=_no_ring)
            yield Harness(runtime, owner, progress)
        finally:
            await pool.close()
            await storage.aclose()
