"""A disk that is full for a while: analyses wait, go on by themselves, and come to the same result."""

import asyncio
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from domain.analyses.files import ResultFormat
from domain.analyses.models import Analysis, AnalysisStatus, Segment, Tracker
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.outages import is_outage
from storage.errors import StorageFullError
from storage.local import LocalStorage
from storage.local_writer import LocalWriter
from tasks import runtime
from tasks.sweeper import Sweeper
from tests.tasks.harness import Harness, harness

SETTINGS = AnalysisSettings(
    "frame-marker", tracker=Tracker.BYTE_TRACK, min_confidence=0.0, frame_stride=3, overlay=True
)
FULL_SECONDS = 3.0


@pytest.fixture(autouse=True)
def _short_hold(monkeypatch):
    monkeypatch.setattr(runtime, "HOLD_SECONDS", 0.2)


class FillingStorage(LocalStorage):
    """Has no room for many a file, for some seconds from the first one on."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder)
        self.refused: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._room_at: float | None = None

    @asynccontextmanager
    async def writer(self, key: str) -> AsyncIterator[LocalWriter]:
        async with super().writer(key) as writer:
            yield writer
            self._refuse_now_and_then(key)

    async def put_file(self, key: str, path: Path) -> None:
        self._refuse_now_and_then(key)
        await super().put_file(key, path)

    def _refuse_now_and_then(self, key: str) -> None:
        if self._room_at is None:
            self._room_at = time.monotonic() + FULL_SECONDS
        # At least the first of each kind, so that every step meets it.
        kind = key.partition("/")[0] + Path(key).suffix
        if kind not in self.refused or (time.monotonic() < self._room_at and self._random.random() < 0.5):
            self.refused[kind] += 1
            raise StorageFullError(f"There is no room to store {key!r}.")


async def results(work: Harness, analysis: Analysis) -> dict[str, bytes]:
    return {form: await work.result(analysis, form) for form in ResultFormat if form != ResultFormat.PARQUET}


async def undisturbed(directory: Path, clip: Path) -> dict[str, bytes]:
    async with harness(directory, None, segment_seconds=1.0) as work:
        analysis = await work.analyse(clip, SETTINGS)
        assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
        return await results(work, analysis)


@pytest.mark.parametrize("seed", [1, 2])
async def test_work_waits_for_room_and_then_goes_on(plugin, tmp_path, media_dir, seed):
    clip = media_dir / "gestures" / "eat.mkv"
    expected = await undisturbed(tmp_path / "undisturbed", clip)
    async with harness(tmp_path / "data", None, segment_seconds=1.0) as work:
        video = await work.add_video(clip)
        storage = FillingStorage(tmp_path / "data" / "files", seed)
        work.runtime.storage = storage
        analysis = await create_analysis(work.owner.id, video, SETTINGS)
        async with asyncio.timeout(120):
            await work.work()
        analysis = await Analysis.get(id=analysis.id)
        assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
        # Timelines and thumbnails of the probe, detections, tracked segments and results.
        assert len(storage.refused) >= 4, storage.refused
        assert not await Segment.filter(attempts__gt=1).exists()
        assert await results(work, analysis) == expected


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB, where the platform lets us make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("this account may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, free_bytes: int) -> Path:
    """Leave so much room; the file to remove for the rest."""
    ballast = disk / "ballast"
    left = os.statvfs(disk)
    with ballast.open("wb") as file:
        file.write(b"x" * (left.f_bavail * left.f_frsize - free_bytes))
    return ballast


@pytest.mark.parametrize("free_bytes", [0, 100_000, 250_000])
async def test_a_disk_that_is_really_full_holds_up_work_and_nothing_more(
    plugin, tmp_path, media_dir, small_disk, free_bytes
):
    """Database, files and scratch lie on it."""
    clip = media_dir / "gestures" / "eat.mkv"
    expected = await undisturbed(tmp_path / "undisturbed", clip)
    async with harness(
        small_disk / "data", None, segment_seconds=1.0, min_free_bytes=0, lease_seconds=3.0
    ) as work:
        video = await work.add_video(clip)
        analysis = await create_analysis(work.owner.id, video, SETTINGS)
        ballast = await asyncio.to_thread(fill, small_disk, free_bytes)
        working = asyncio.create_task(_work_through_outages(work))
        # A claim that could not even be given back is free when its lease ends, as in a real worker.
        sweeping = asyncio.create_task(Sweeper(work.runtime).sweep_for_ever())
        await asyncio.sleep(FULL_SECONDS)
        is_waiting = not working.done()
        ballast.unlink()
        async with asyncio.timeout(120):
            await working
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
        analysis = await Analysis.get(id=analysis.id)
        assert is_waiting, "it must not be done while there is no room"
        assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
        assert await results(work, analysis) == expected


async def _work_through_outages(work: Harness) -> None:
    """As a worker does: what the harness asks the database between its turns may fail, too."""
    while True:
        try:
            await work.work()
        except Exception as error:
            if not is_outage(error):
                raise
            await asyncio.sleep(0.1)
        else:
            return
