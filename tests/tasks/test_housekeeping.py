"""What ended processes left behind is cleared away; what is in use stays."""

import asyncio
import logging
import os
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from domain.accounts.models import User
from domain.duties import Duty, take_duty
from domain.erasure import Erasure
from domain.events import Event
from domain.people.models import Person
from domain.removals import Removal
from domain.videos.models import Video
from tasks import housekeeping
from tasks.housekeeping import keep_house, keep_house_for_ever, remove_deleted
from tests.tasks.harness import harness

TWO_DAYS_SECONDS = 2 * 86400


async def test_old_leftovers_go_and_the_rest_stays(tmp_path, media_dir, caplog):
    caplog.set_level(logging.INFO)
    async with harness(tmp_path / "data", None) as work:
        video = await work.add_video(media_dir / "gestures" / "eat.mkv")
        await work.runtime.storage.put("uploads/orphan", b"nobody's")
        await work.runtime.storage.put("uploads/young", b"being uploaded")
        long_ago = time.time() - TWO_DAYS_SECONDS
        for key in (str(video.storage_key), "uploads/orphan"):
            os.utime(tmp_path / "data" / "files" / key, (long_ago, long_ago))
        await Event.filter(owner_id=work.owner.id).update(created_at=datetime.now(UTC) - timedelta(days=31))
        await keep_house(work.runtime)
        left = {key async for key in work.runtime.storage.list("uploads")}
        assert left == {str(video.storage_key), "uploads/young"}
        assert await Event.all().count() == 0
        assert "removed 1 unowned files, 1 old events" in caplog.text
        caplog.clear()
        await keep_house(work.runtime)
        assert caplog.text == ""


async def test_people_whom_no_analysis_has_found_for_long_go(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    long_ago = datetime.now(UTC) - timedelta(days=31)
    for days, left in ((0.0, ["old", "young"]), (30.0, ["young"])):
        folder = tmp_path / f"{days}"
        async with harness(folder, None, people_retention_days=days) as work:
            for name in ("young", "old"):
                await Person.create(id=uuid4(), owner_id=work.owner.id, full_name=name, is_held=True)
            await Person.filter(full_name="old").update(created_at=long_ago, updated_at=long_ago)
            await keep_house(work.runtime)
            assert sorted(await Person.all().values_list("full_name", flat=True)) == left
            assert await Erasure.all().count() == 2 - len(left)
            await remove_deleted(work.runtime)
            assert await Erasure.all().count() == 0
    assert "removed 1 people unseen for long" in caplog.text


async def test_deletions_that_broke_off_are_finished(tmp_path, media_dir):
    async with harness(tmp_path / "data", None) as work:
        await work.add_video(media_dir / "gestures" / "eat.mkv")
        await User.filter(id=work.owner.id).update(username_key=f"deleted:{work.owner.id}")
        await remove_deleted(work.runtime)
        assert (await User.all().count(), await Video.all().count()) == (0, 0)
        assert [key async for key in work.runtime.storage.list()] == []
        assert await Removal.all().count() > 0


async def test_one_worker_keeps_house_and_each_clears_its_own_machine(tmp_path, monkeypatch):
    rounds, removed = [], []

    async def counted(runtime):
        rounds.append(runtime)

    async def finished(runtime):
        removed.append(runtime)

    monkeypatch.setattr(housekeeping, "keep_house", counted)
    monkeypatch.setattr(housekeeping, "remove_deleted", finished)
    monkeypatch.setattr(housekeeping, "REMOVAL_SECONDS", 0.01)
    async with harness(tmp_path / "data", None, housekeeping_interval_seconds=0.02) as work:
        assert await take_duty("housekeeping", "another worker", 60)
        dead = subprocess.Popen(["true"])
        dead.wait()
        for pid in (dead.pid, os.getpid()):
            (tmp_path / "data" / "scratch" / str(pid) / "summary-x").mkdir(parents=True)
        keeping = asyncio.create_task(keep_house_for_ever(work.runtime))
        scratch = tmp_path / "data" / "scratch"
        async with asyncio.timeout(60):
            while len(removed) < 5 or len(list(scratch.iterdir())) > 1:
                await asyncio.sleep(0.01)
        assert [path.name for path in scratch.iterdir()] == [str(os.getpid())]
        assert rounds == []
        await Duty.all().delete()
        async with asyncio.timeout(60):
            while len(rounds) < 2:
                await asyncio.sleep(0.01)
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def test_a_failed_round_is_followed_by_another(tmp_path, monkeypatch, caplog):
    rounds = []

    async def failing(runtime):
        rounds.append(runtime)
        raise OSError("the disk is on fire")

    monkeypatch.setattr(housekeeping, "keep_house", failing)
    async with harness(tmp_path / "data", None, housekeeping_interval_seconds=0.02) as work:
        keeping = asyncio.create_task(keep_house_for_ever(work.runtime))
        async with asyncio.timeout(60):
            while len(rounds) < 3:
                await asyncio.sleep(0.01)
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
    assert "the disk is on fire" in caplog.text
