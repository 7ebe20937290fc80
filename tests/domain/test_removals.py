"""Removals outlive whoever noted them, and spare what is in use: on SQLite and PostgreSQL."""

import asyncio
import time
from uuid import uuid4

from tortoise.transactions import in_transaction

from domain import removals
from domain.references import referenced
from domain.removals import Removal, note_removals, process_removals, try_removals
from tests.domain.making import analyse, down, keys, make_user, upload


async def note(*prefixes, **options):
    async with in_transaction() as connection:
        return await note_removals(connection, prefixes, **options)


async def make_due():
    await Removal.all().update(due_at=0)


async def test_files_and_folders_go(database, storage):
    for key in ("uploads/a", "analyses/x/1", "analyses/x/tracked/2", "analyses/xy/3"):
        await storage.put(key, b"x")
    await note("uploads/a", f"analyses/{uuid4()}")
    assert await process_removals(storage) == 2
    assert "uploads/a" not in await keys(storage)
    assert await Removal.all().count() == 0
    assert await process_removals(storage) == 0


async def test_what_is_referred_to_stays(database, storage):
    ada = await make_user()
    video = await upload(storage, ada)
    analysis = await analyse(storage, ada, video)
    detections = f"detections/{video.sha256}/x.parquet"
    for key in (detections, f"videos/{video.id}/thumbnail.jpg"):
        await storage.put(key, b"x")
    before = await keys(storage)
    await note(
        video.storage_key, f"videos/{video.id}", f"analyses/{analysis.id}", f"detections/{video.sha256}"
    )
    await process_removals(storage)
    assert await keys(storage) == before
    assert await Removal.all().count() == 0


async def test_a_removal_that_is_rolled_back_never_was(database, storage):
    await storage.put("uploads/a", b"x")
    try:
        async with in_transaction() as connection:
            await note_removals(connection, ["uploads/a"])
            raise KeyError
    except KeyError:
        pass
    await process_removals(storage)
    assert await keys(storage) == {"uploads/a"}


async def test_late_writes_are_removed_until_the_final_time(database, storage):
    await note("uploads/a", late_write_seconds=1000)
    await process_removals(storage)
    await storage.put("uploads/a", b"late")
    assert await process_removals(storage) == 0
    await make_due()
    await process_removals(storage)
    assert await keys(storage) == set()
    assert await Removal.all().count() == 1
    await storage.put("uploads/a", b"later")
    await Removal.all().update(due_at=0, final_at=time.time() - 1)
    await process_removals(storage)
    assert (await keys(storage), await Removal.all().count()) == (set(), 0)


async def test_a_storage_that_is_down_delays_the_removal(database, storage):
    await storage.put("uploads/a", b"x")
    ids = await note("uploads/a")
    async with down(storage):
        await try_removals(storage, ids)
        await make_due()
        await process_removals(storage)
    assert await keys(storage) == {"uploads/a"}
    assert await process_removals(storage) == 0
    await make_due()
    await process_removals(storage)
    assert (await keys(storage), await Removal.all().count()) == (set(), 0)


async def test_a_process_that_dies_after_the_commit_leaves_it_to_others(database, storage):
    await storage.put("uploads/a", b"x")
    await note("uploads/a")
    assert await process_removals(storage) == 1
    assert await keys(storage) == set()


async def test_only_those_asked_for_are_removed(database, storage):
    mine, _ = await note("uploads/a"), await note("uploads/b")
    for key in ("uploads/a", "uploads/b"):
        await storage.put(key, b"x")
    assert await process_removals(storage, []) == 0
    assert await process_removals(storage, mine) == 1
    assert await keys(storage) == {"uploads/b"}


async def test_many_are_taken_in_turns_by_workers_at_once(database, storage, monkeypatch):
    monkeypatch.setattr(removals, "BATCH", 7)
    await note(*(f"uploads/{number}" for number in range(50)))
    for number in range(50):
        await storage.put(f"uploads/{number}", b"x")
    while await Removal.all().count():
        looked_at = await asyncio.gather(*(process_removals(storage) for _ in range(3)))
        assert max(looked_at) <= 7
        assert sum(looked_at) > 0
    assert await keys(storage) == set()


async def test_what_has_no_form_of_ours_is_left_alone(database, storage):
    odd = ["analyses/notes.txt", "videos/README", f"videos/{str(uuid4()).upper()}"]
    assert await referenced(odd) == set(odd)
    assert await referenced(["uploads/whatever", f"videos/{uuid4()}", "detections/abc"]) == set()
