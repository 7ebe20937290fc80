"""A real `framewise worker` with real servers, asked to end in every state, and left without its servers."""

import asyncio
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from tortoise.backends.base.executor import EXECUTOR_CACHE

from domain.accounts.models import User
from domain.analyses.models import Analysis, AnalysisStatus, Segment, SegmentStatus, Tracker
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.database import connect, disconnect, migrate
from domain.videos.models import Video
from domain.videos.service import NewVideo, create_video
from storage.local import LocalStorage
from tasks.health import living_workers
from tasks.redis_clients import connect_redis

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120


class Installation:
    """A data folder with its database, and workers on it."""

    def __init__(self, data_dir: Path, database_url: str, redis_url: str) -> None:
        self.data_dir, self.database_url, self.redis_url = data_dir, database_url, redis_url
        self.log = data_dir / "worker.log"
        self.owner: User | None = None

    @contextmanager
    def worker(self, **settings: object) -> Iterator[subprocess.Popen[bytes]]:
        names = ("FRAMEWISE_", "REDIS_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        settings = {
            "data_dir": self.data_dir,
            "database_url": self.database_url,
            "redis_url": self.redis_url,
            "slots": 1,
            **settings,
        }
        environment |= {f"FRAMEWISE_{name.upper()}": str(value) for name, value in settings.items()}
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", "worker"],
                cwd=REPOSITORY, env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    async def add_analysis(self, clip: Path, model: str, **options: object) -> Analysis:
        if self.owner is None:
            self.owner = await User.create(username="ada", username_key="ada", password_hash="x")
        data = await asyncio.to_thread(clip.read_bytes)
        key = f"uploads/{uuid4()}"
        await LocalStorage(self.data_dir / "files").put(key, data)
        new = NewVideo(clip.name, key, len(data), hashlib.sha256(data).hexdigest())
        video = await create_video(self.owner.id, new, max_videos_per_user=1000)
        settings = {"tracker": Tracker.NONE, "min_confidence": 0.0, **options}
        return await create_analysis(self.owner.id, video, AnalysisSettings(model, **settings))

    async def eventually(self, condition, what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await condition():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"did not happen: {what}\n{self.log.read_text()}")

    async def has_said(self, *texts: str) -> None:
        async def said() -> bool:
            return all(text in self.log.read_text() for text in texts)

        await self.eventually(said, f"the log says {texts}")

    async def ends_well(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGTERM ends it with code 0, and not because its time was over."""
        worker.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(worker.wait, PATIENCE_SECONDS)
        said = self.log.read_text()
        if code != 0 or "did not end in time" in said or "Traceback" in said:
            pytest.fail(f"exit code {code}:\n{said}")


@asynccontextmanager
async def installed(data_dir: Path, database_url: str, redis_url: str):
    EXECUTOR_CACHE.clear()  # it holds SQL of the last test's dialect
    await migrate(database_url)
    await connect(database_url)
    try:
        yield Installation(data_dir, database_url, redis_url)
    finally:
        await disconnect()


@pytest.fixture
async def installation(tmp_path, plugin, private_valkey):
    async with installed(tmp_path, f"sqlite://{tmp_path / 'test.sqlite3'}", private_valkey.url) as made:
        yield made


async def is_anything_held() -> bool:
    held = [await table.filter(holder__not_isnull=True).exists() for table in (Segment, Analysis, Video)]
    leased = [
        await table.filter(lease_expires_at__not_isnull=True).exists() for table in (Segment, Analysis, Video)
    ]
    return any([*held, *leased])


async def test_it_waits_for_its_servers_and_then_works(
    private_postgres,
    private_valkey,
    plugin,
    tmp_path,
    media_dir,
):
    async with installed(tmp_path, private_postgres.url, private_valkey.url) as installation:
        analysis = await installation.add_analysis(media_dir / "gestures" / "eat.mkv", "frame-marker")
        private_postgres.kill()
        private_valkey.kill()
        with installation.worker() as worker:
            await installation.has_said("the database does not answer", "Redis does not answer")
            await asyncio.sleep(3)
            assert worker.poll() is None
            said = installation.log.read_text()
            assert said.count("does not answer") == 2, said
            await asyncio.to_thread(private_postgres.start)

            async def is_done() -> bool:
                with suppress(ConnectionError):
                    return (await Analysis.get(id=analysis.id)).status == AnalysisStatus.SUCCEEDED

            # The work lies in the database: it is done though nobody can be rung for.
            await installation.eventually(is_done, "it works without Valkey")
            await asyncio.to_thread(private_valkey.start)
            redis = connect_redis(private_valkey.url)
            await installation.eventually(lambda: _has_workers(redis), "it is seen")
            await redis.aclose()
            await installation.ends_well(worker)
            said = installation.log.read_text()
            assert said.count("the database answers again") == 1, said
            assert said.count("Redis answers again") == 1, said


async def _has_workers(redis) -> bool:
    return bool(await living_workers(redis))


async def test_it_ends_at_once_while_it_waits_for_its_servers(private_postgres, private_valkey, tmp_path):
    async with installed(tmp_path, private_postgres.url, private_valkey.url) as installation:
        private_postgres.kill()
        private_valkey.kill()
        with installation.worker() as worker:
            await installation.has_said("does not answer", "worker ready")
            await installation.ends_well(worker)


async def test_it_gives_back_what_it_works_on(installation, media_dir):
    analysis = await installation.add_analysis(media_dir / "nasa_13013.mp4", "sleeps")
    with installation.worker() as worker:
        await installation.eventually(
            lambda: Segment.filter(status=SegmentStatus.RUNNING).exists(), "a segment runs"
        )
        await installation.ends_well(worker)
    assert not await is_anything_held()
    assert not await Segment.filter(attempts__gt=0).exists()
    assert (await Analysis.get(id=analysis.id)).status == AnalysisStatus.RUNNING


async def test_it_gives_back_what_it_sums_up(installation, media_dir):
    analysis = await installation.add_analysis(
        media_dir / "one-by-one-person-detection.mp4", "frame-marker", overlay=True
    )

    async def is_drawing() -> bool:
        row = await Analysis.get(id=analysis.id)
        return row.overlay_frames_done > 0 or row.status == AnalysisStatus.SUCCEEDED

    with installation.worker() as worker:
        await installation.eventually(is_drawing, "the overlay is drawn")
        await installation.ends_well(worker)
    assert (await Analysis.get(id=analysis.id)).status == AnalysisStatus.RUNNING
    assert not await is_anything_held()


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = []

        def take() -> None:
            with suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for connection in taken:
                connection.close()


async def test_it_does_not_wait_for_a_download(installation, media_dir):
    await installation.add_analysis(media_dir / "nasa_13013.mp4", "yolox-nano", min_confidence=0.5)
    with silent_server() as mirror, installation.worker(weights_mirror=mirror) as worker:
        await installation.eventually(
            lambda: Segment.filter(status=SegmentStatus.RUNNING).exists(), "a segment waits for its weights"
        )
        await asyncio.sleep(0.5)
        await installation.ends_well(worker)
    assert not await is_anything_held()


async def test_it_ends_while_valkey_hangs(installation, private_valkey, media_dir):
    await installation.add_analysis(media_dir / "nasa_13013.mp4", "sleeps")
    with installation.worker() as worker:
        await installation.eventually(
            lambda: Segment.filter(status=SegmentStatus.RUNNING).exists(), "a segment runs"
        )
        private_valkey.halt()
        try:
            await installation.has_said("Redis does not answer")
            await installation.ends_well(worker)
        finally:
            private_valkey.go_on()
    assert not await is_anything_held()


@pytest.mark.parametrize("hangs", [False, True])
async def test_it_ends_while_the_database_is_away(
    private_postgres,
    private_valkey,
    plugin,
    tmp_path,
    media_dir,
    hangs,
):
    async with installed(tmp_path, private_postgres.url, private_valkey.url) as installation:
        await installation.add_analysis(media_dir / "nasa_13013.mp4", "sleeps")
        with installation.worker() as worker:
            await installation.eventually(
                lambda: Segment.filter(status=SegmentStatus.RUNNING).exists(), "a segment runs"
            )
            (private_postgres.halt if hangs else private_postgres.kill)()
            try:
                if not hangs:
                    await installation.has_said("the database does not answer")
                await installation.ends_well(worker)
            finally:
                if hangs:
                    private_postgres.go_on()


async def test_it_comes_through_a_short_outage_of_the_database(
    private_postgres,
    private_valkey,
    plugin,
    tmp_path,
    media_dir,
):
    async with installed(tmp_path, private_postgres.url, private_valkey.url) as installation:
        analysis = await installation.add_analysis(
            media_dir / "one-by-one-person-detection.mp4", "frame-marker", tracker=Tracker.BYTE_TRACK
        )
        with installation.worker(slots=2) as worker:
            await installation.eventually(
                lambda: Segment.filter(status=SegmentStatus.DONE).exists(), "a segment is done"
            )
            private_postgres.kill()
            await asyncio.sleep(2)
            await asyncio.to_thread(private_postgres.start)

            async def is_done() -> bool:
                return (await Analysis.get(id=analysis.id)).status.is_final

            await installation.eventually(is_done, "it goes on")
            row = await Analysis.get(id=analysis.id)
            assert row.status == AnalysisStatus.SUCCEEDED, row.error_message
            await installation.ends_well(worker)
        said = installation.log.read_text()
        assert said.count("the database does not answer") <= 2, said


def test_a_wrong_storage_ends_it_with_a_reason(tmp_path, private_valkey):
    installation = Installation(tmp_path, f"sqlite://{tmp_path / 'test.sqlite3'}", private_valkey.url)
    asyncio.run(migrate(installation.database_url))
    (tmp_path / "file").write_text("")
    with installation.worker(storage_url=(tmp_path / "file" / "files").as_uri()) as worker:
        assert worker.wait(PATIENCE_SECONDS) == 1
    assert "the worker cannot work: Files cannot be stored in" in installation.log.read_text()
