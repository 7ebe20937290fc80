"""Stopping a job without ending its process."""

import asyncio
import contextlib
import os
import random
import time

import pytest

from media.probe import probe
from tasks.process import process as process_module
from tasks.process.errors import JobError
from tasks.process.pool import ProcessPool
from tasks.process.process import AnalysisProcess
from tasks.process.protocol import Message
from tasks.process.stop import STOP_SIGNAL
from tests.tasks.process.trial_models import OPTIONS, started


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, no process is ended that would have stopped."""
    monkeypatch.setattr(process_module, "STOP_SECONDS", 60.0)


async def stopped_after(process: AnalysisProcess, request: Message, seconds: float) -> None:
    """Cancel a request some time after it began."""
    working = asyncio.create_task(process.request(request))
    await asyncio.sleep(seconds)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def begun(process: AnalysisProcess, request: Message) -> "asyncio.Task[Message]":
    """A request that is in the midst of its work."""
    analyses = asyncio.Event()

    def look(progress):
        if progress.get("frames_done", 0) > 1:
            analyses.set()

    working = asyncio.create_task(process.request(request, look))
    await asyncio.wait_for(analyses.wait(), 60)
    await asyncio.sleep(0.1)
    return working


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("ml_model", ["steady", "sleeps", "swallows"])
async def test_a_stopped_job_leaves_its_process_warm_and_at_rest(detect, ml_model, patience):
    async with started() as process:
        pid = process.pid
        working = await begun(process, detect(ml_model))
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert process.is_idle
        spent = cpu_seconds(pid)
        await asyncio.sleep(0.5)
        assert cpu_seconds(pid) - spent < 0.1
        answer = await process.request(detect("quick"))
        assert answer.values["frames_done"] > 0
        assert process.pid == pid


async def test_a_job_that_does_not_stop_is_killed(detect):
    async with started() as process:
        working = await begun(process, detect("deaf"))
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert not process.is_alive
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)


async def test_a_second_cancellation_does_not_wait_and_the_process_is_replaced(detect):
    pool = ProcessPool(1, OPTIONS)
    pool.open()
    try:
        async with asyncio.timeout(60):
            async with pool.process() as process:
                working = await begun(process, detect("deaf"))
                working.cancel()
                await asyncio.sleep(0.05)
                working.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await working
            async with pool.process() as another:
                assert another.pid != process.pid
                assert (await another.request(detect("quick"))).kind == "result"
    finally:
        await pool.close()


async def test_an_exception_that_leaves_the_block_keeps_a_process_that_is_at_rest(detect):
    pool = ProcessPool(1, OPTIONS)
    pool.open()
    try:
        pids = [await _failed(pool, detect(ml_model)) for ml_model in ("quick", "raises", "quick")]
        assert len(set(pids)) == 1
    finally:
        await pool.close()


async def _failed(pool: ProcessPool, request: Message) -> int:
    """The process of a request in whose block something else fails."""
    with contextlib.suppress(KeyError, JobError):
        async with pool.process() as process:
            await process.request(request)
            raise KeyError("not of the process")
    return process.pid


async def test_stops_at_any_moment_never_mix_up_answers(detect, media_dir, patience):
    seed = 20261121
    chance = random.Random(seed)
    clips = {media_dir / "gestures" / name: 0 for name in ("eat.mkv", "book.mkv", "walk.mkv")}
    async with started() as process:
        pid = process.pid
        for clip in clips:
            scan = Message("scan", {"source": str(clip), "kind": "PACKETS"})
            clips[clip] = (await process.request(scan)).values["frame_count"]
        open_files = os.listdir(f"/proc/{pid}/fd")
        started_at = time.monotonic()
        whole = await process.request(detect("steady"))
        longest = 1.2 * (time.monotonic() - started_at)
        stops = 200
        unfinished = 0
        for number in range(stops):
            # Often at the very beginning, where the request may not even have been read, and at the end.
            moment = chance.choice([0.0, chance.uniform(0, 0.003), chance.uniform(0, longest)])
            await stopped_after(process, detect("steady"), min(moment, 0.15) if number % 20 else moment)
            assert process.is_idle, f"seed {seed}, stop {number}"
            clip = chance.choice(list(clips))
            answer = await process.request(Message("scan", {"source": str(clip), "kind": "PACKETS"}))
            assert answer.values["frame_count"] == clips[clip], f"seed {seed}, stop {number}"
            unfinished += moment < longest / 2
        assert unfinished > stops / 2
        again = await process.request(detect("steady"))
        assert (again.values, again.blobs) == (whole.values, whole.blobs)
        assert process.pid == pid
        assert os.listdir(f"/proc/{pid}/fd") == open_files


async def test_signals_that_name_no_request_do_nothing(detect):
    async with started() as process:
        whole = await process.request(detect("steady"))
        working = await begun(process, detect("steady"))
        while not working.done():
            os.kill(process.pid, STOP_SIGNAL)
            await asyncio.sleep(0.002)
        assert (await working).values == whole.values


async def test_a_stopped_overlay_leaves_no_file(media_dir, tmp_path, patience):
    clip = media_dir / "one-by-one-person-detection.mp4"
    overlay = tmp_path / "overlay.mp4"
    values = {
        "source": str(clip),
        "tracked": [],
        "folder": str(tmp_path),
        "formats": {},
        "summary": {},
        "counting": None,
        "crops": None,
        "overlay": overlay.name,
        "pictures": None,
        "frame_stride": 1,
        "thread_count": 1,
    }
    request = Message("summarise", values, [probe(clip).timeline.to_bytes()])
    async with started() as process:
        open_files = os.listdir(f"/proc/{process.pid}/fd")
        while True:
            is_written = asyncio.Event()
            working = asyncio.create_task(
                process.request(request, lambda _, seen=is_written: overlay.exists() and seen.set())
            )
            seen = asyncio.create_task(is_written.wait())
            await asyncio.wait({seen, working}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
            seen.cancel()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            if working.cancelled():
                break
            overlay.unlink()  # the job was done already: this process had stood still for seconds
        assert process.is_idle
        assert not list(tmp_path.iterdir())
        assert os.listdir(f"/proc/{process.pid}/fd") == open_files
