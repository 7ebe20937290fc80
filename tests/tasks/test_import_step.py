"""Imports as a worker does them: fetched, probed, analysed; given up, taken over, cancelled."""

import asyncio
import hashlib

import pytest

from domain.analyses.models import Analysis, AnalysisStatus
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.content_deletion import delete_video
from domain.leases import Ending
from domain.videos.imports import claim_import, create_import
from domain.videos.models import Video, VideoStatus
from domain.videos.service import release_probe
from tasks.importer import AT_ONCE_PER_USER, Importer
from tasks.scheduler import work_until_done
from tasks.steps import fetch
from tasks.sweeper import Sweeper
from tests.tasks.harness import Harness, harness
from tests.tasks.imports import file_server as servers
from tests.tasks.imports.file_server import answering, file_server

LOOPBACK = {"import_allowed_networks": "127.0.0.0/8"}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def clip(media_dir):
    return media_dir / "gestures" / "eat.mkv"


async def ask_for(work: Harness, url: str) -> Video:
    return await create_import(work.owner.id, url, "clip", max_videos_per_user=100, max_imports_per_user=100)


async def import_all(work: Harness) -> None:
    """What the worker's loop does, until no import is left."""
    importer = Importer(work.runtime)
    async with asyncio.timeout(120):
        while True:
            while await importer.take_up():
                pass
            await importer.finish()
            if not await Video.filter(status=VideoStatus.PROBING, storage_key=None).exists():
                return
            await asyncio.sleep(0.01)


async def keys(work: Harness, folder: str = "uploads") -> list[str]:
    return [key async for key in work.runtime.storage.list(folder)]


async def test_it_is_fetched_probed_and_analysed(plugin, tmp_path, clip):
    data = clip.read_bytes()
    async with (
        harness(tmp_path, None, **LOOPBACK) as work,
        file_server(film=answering(data, Content_Disposition='attachment; filename="Eat.mkv"')) as server,
    ):
        video = await ask_for(work, server.url("/film"))
        analysis = await create_analysis(work.owner.id, video, AnalysisSettings("frame-marker"))
        await import_all(work)
        await work.work()
        video = await Video.get(id=video.id)
        assert (video.status, video.filename, video.title) == (VideoStatus.READY, "Eat.mkv", "Eat")
        assert (video.size_bytes, video.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert (video.attempts, video.holder) == (1, None)
        assert (await Analysis.get(id=analysis.id)).status == AnalysisStatus.SUCCEEDED


async def test_the_same_content_is_stored_once(plugin, tmp_path, clip):
    async with (
        harness(tmp_path, None, **LOOPBACK) as work,
        file_server(film=answering(clip.read_bytes())) as server,
    ):
        uploaded = await work.add_video(clip)
        imported = await ask_for(work, server.url("/film"))
        await import_all(work)
        assert (await Video.get(id=imported.id)).storage_key == uploaded.storage_key
        assert await keys(work) == [uploaded.storage_key]
        # The stored file is lost: the next one that comes mends all that share it.
        await work.runtime.storage.delete(str(uploaded.storage_key))
        await ask_for(work, server.url("/film"))
        await import_all(work)
        stored = {video.storage_key for video in await Video.all()}
        assert stored == set(await keys(work))
        assert len(stored) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (answering(b"", "404 Not Found"), "The server answers with status 404: there is no such file."),
        (answering(b"", "502 Bad"), "Fetching the file failed 3 times: the server answers with status 502."),
        (answering(b"abc", Content_Length="9"), "Fetching the file failed 3 times: the server broke off"),
        (servers.endless, "The file is larger than 100000 bytes (limit: max_upload_bytes)."),
        (servers.trickling, "Fetching the file took longer than 1 s (limit: import_timeout_seconds)."),
    ],
)
async def test_a_failure_is_told_and_leaves_nothing(tmp_path, answer, told):
    limits = {"max_upload_bytes": 100_000, "import_timeout_seconds": 1.0}
    async with harness(tmp_path, None, **LOOPBACK, **limits) as work, file_server(film=answer) as server:
        video = await ask_for(work, server.url("/film"))
        await import_all(work)
        video = await Video.get(id=video.id)
        assert video.status == VideoStatus.REJECTED
        assert str(video.rejection_reason).startswith(told)
        assert await keys(work) == []
        assert await work.runtime.storage.remove_abandoned(0) == 0


async def test_what_is_not_allowed_is_not_asked(tmp_path):
    async with harness(tmp_path, None) as work, file_server(film=answering(b"secret")) as server:
        for host in ("127.0.0.1", "localhost"):
            video = await ask_for(work, server.url("/film", host))
            await import_all(work)
            video = await Video.get(id=video.id)
            assert video.status == VideoStatus.REJECTED
            assert "public" in str(video.rejection_reason)
        assert server.seen == []


async def test_without_room_it_is_not_kept(tmp_path):
    settings = {**LOOPBACK, "min_free_bytes": 2**60}
    async with harness(tmp_path, None, **settings) as work, file_server(film=answering(b"data")) as server:
        video = await ask_for(work, server.url("/film"))
        await import_all(work)
        assert "min_free_bytes" in str((await Video.get(id=video.id)).rejection_reason)
        assert await keys(work) == []


async def test_a_second_try_may_work(plugin, tmp_path, clip):
    data, tries = clip.read_bytes(), []

    async def moody(exchange):
        tries.append(exchange)
        if len(tries) == 1:
            await exchange.respond(data[:1000], Content_Length=str(len(data)))
        else:
            await exchange.respond(data)

    async with harness(tmp_path, None, **LOOPBACK) as work, file_server(film=moody) as server:
        video = await ask_for(work, server.url("/film"))
        await import_all(work)
        await work.work()
        assert (await Video.get(id=video.id)).status == VideoStatus.READY
        assert len(tries) == 2


async def _reading(server: servers.FileServer) -> None:
    async with asyncio.timeout(60):
        while not server.seen:
            await asyncio.sleep(0.01)


async def _let_go(server: servers.FileServer) -> None:
    async with asyncio.timeout(60):
        while server.open_connections:
            await asyncio.sleep(0.01)


async def test_deleting_the_video_ends_the_download(tmp_path):
    async with harness(tmp_path, None, **LOOPBACK) as work, file_server(film=servers.trickling) as server:
        video = await ask_for(work, server.url("/film"))
        importer = Importer(work.runtime)
        assert await importer.take_up()
        await _reading(server)
        await delete_video(work.runtime.storage, work.owner.id, video.id, late_write_seconds=0.0)
        async with asyncio.timeout(60):
            await importer.finish()
        await _let_go(server)
        assert await keys(work) == []
        assert await work.runtime.storage.remove_abandoned(0) == 0


async def test_a_worker_that_stops_gives_it_back(tmp_path):
    async with harness(tmp_path, None, **LOOPBACK) as work, file_server(film=servers.trickling) as server:
        video = await ask_for(work, server.url("/film"))
        looking = asyncio.create_task(Importer(work.runtime).import_for_ever())
        await _reading(server)
        work.runtime.is_stopping = True
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        video = await Video.get(id=video.id)
        assert (video.status, video.lease_expires_at, video.attempts) == (VideoStatus.PROBING, None, 0)
        await _let_go(server)


async def test_what_a_vanished_worker_fetched_begins_anew(plugin, tmp_path, clip):
    data = clip.read_bytes()
    async with (
        harness(tmp_path, None, **LOOPBACK, lease_seconds=0.5) as work,
        file_server(film=answering(data)) as server,
    ):
        video = await ask_for(work, server.url("/film"))
        dead = await claim_import(0.01, AT_ONCE_PER_USER)
        assert dead is not None
        sweeper = Sweeper(work.runtime)
        async with asyncio.timeout(60):
            while (await Video.get(id=video.id)).lease_expires_at is not None:
                await sweeper.sweep()
                await asyncio.sleep(0.05)
        await import_all(work)
        await work.work()
        assert (await Video.get(id=video.id)).status == VideoStatus.READY
        # Whoever was thought dead changes nothing any more.
        assert not await release_probe(dead[0], Ending.FAILED)
        assert len(await keys(work)) == 1


async def test_an_import_that_loses_its_worker_again_and_again_is_given_up(tmp_path):
    async with harness(tmp_path, None, **LOOPBACK, max_interruptions=2) as work:
        video = await ask_for(work, "http://127.0.0.1/film")
        sweeper = Sweeper(work.runtime)
        for _ in range(2):
            assert await claim_import(-1.0, AT_ONCE_PER_USER)
            await sweeper.sweep()
        video = await Video.get(id=video.id)
        assert (video.status, video.storage_key) == (VideoStatus.REJECTED, None)
        assert "interrupted 2 times" in str(video.rejection_reason)


async def test_an_import_takes_no_slot(plugin, tmp_path, clip):
    """A slow server keeps nobody's video waiting, not even the same person's."""
    async with (
        harness(tmp_path, None, **LOOPBACK, slots=1, max_slots_per_user=1) as work,
        file_server(film=servers.trickling) as server,
    ):
        await ask_for(work, server.url("/film"))
        importer = Importer(work.runtime)
        assert await importer.take_up()
        await _reading(server)
        video = await work.add_video(clip)
        analysis = await create_analysis(work.owner.id, video, AnalysisSettings("frame-marker"))
        async with asyncio.timeout(120):
            while (await Analysis.get(id=analysis.id)).status not in ("SUCCEEDED", "FAILED"):
                await work_until_done(work.runtime)
                await asyncio.sleep(0.01)
        assert (await Analysis.get(id=analysis.id)).status == AnalysisStatus.SUCCEEDED
        work.runtime.is_stopping = True
        await importer.finish()
