"""The same bytes are stored once, and go when the last video with them goes: on SQLite and PostgreSQL."""

import asyncio
import hashlib
import sqlite3
import threading
from uuid import uuid4

import pytest

from domain.content_deletion import delete_video
from domain.leases import Ending
from domain.removals import process_removals
from domain.videos.content import replace_lost_file
from domain.videos.models import Video, VideoStatus
from domain.videos.service import NewVideo, claim_probe, create_video, reject_video, release_probe
from tests.domain.making import analyse, events, keys, make_user, upload

LATE = 0.0


async def test_the_same_bytes_of_two_accounts_are_one_file(database, storage):
    ada, bob = await make_user("ada"), await make_user("bob")
    first, second = await upload(storage, ada), await upload(storage, bob)
    other = await upload(storage, ada, b"another")
    assert first.storage_key == second.storage_key != other.storage_key
    assert await keys(storage) == {first.storage_key, other.storage_key}
    assert (await Video.get(id=second.id)).storage_key == first.storage_key


async def test_equal_hashes_of_other_sizes_are_not_the_same_file(database, storage):
    ada = await make_user()
    first = await upload(storage, ada)
    claimed = NewVideo("x.mp4", f"uploads/{uuid4()}", first.size_bytes + 1, first.sha256)
    assert (await create_video(ada.id, claimed, max_videos_per_user=9)).storage_key == claimed.storage_key


async def test_the_file_goes_with_its_last_video(database, storage):
    ada, bob = await make_user("ada"), await make_user("bob")
    first, second = await upload(storage, ada), await upload(storage, bob)
    await storage.put(f"detections/{first.sha256}/x.parquet", b"found")
    await delete_video(storage, ada.id, first.id, late_write_seconds=LATE)
    assert await keys(storage) == {first.storage_key, f"detections/{first.sha256}/x.parquet"}
    await delete_video(storage, bob.id, second.id, late_write_seconds=LATE)
    assert await keys(storage) == set()


async def test_a_rejected_video_lets_go_of_a_file_that_another_one_keeps(database, storage):
    ada, bob = await make_user("ada"), await make_user("bob")
    for owner in (ada, bob):
        await upload(storage, owner)
    for owner, left in ((ada, 1), (bob, 0)):
        claimed = await claim_probe(owner.id, 30)
        assert claimed is not None
        assert await reject_video(claimed[0], "It is no video.")
        await process_removals(storage)
        assert len(await keys(storage)) == left
    assert await events(ada.id) == ["VIDEO_UPLOADED", "VIDEO_REJECTED"]
    assert await Video.filter(status=VideoStatus.REJECTED, storage_key=None, holder=None).count() == 2


async def test_a_rejected_video_lends_no_file(database, storage):
    ada = await make_user()
    first = await upload(storage, ada)
    claimed = await claim_probe(ada.id, 30)
    assert claimed is not None
    assert await reject_video(claimed[0], "no")
    second = await upload(storage, ada)
    assert second.storage_key not in (None, first.storage_key)
    await process_removals(storage)
    assert await keys(storage) == {second.storage_key}


async def test_a_lost_claim_rejects_nothing(database, storage):
    ada = await make_user()
    video = await upload(storage, ada)
    claimed = await claim_probe(ada.id, 30)
    assert claimed is not None
    assert await release_probe(claimed[0], Ending.ORDERLY)
    assert await claim_probe(ada.id, 30) is not None
    assert not await reject_video(claimed[0], "too late")
    assert (await Video.get(id=video.id)).storage_key == video.storage_key
    assert await events(ada.id) == ["VIDEO_UPLOADED"]


async def test_a_lost_file_is_mended_by_who_uploads_it_again(database, storage):
    ada, bob = await make_user("ada"), await make_user("bob")
    first = await upload(storage, ada)
    second = await upload(storage, bob)
    assert await replace_lost_file(str(first.storage_key), "uploads/new")
    assert not await replace_lost_file(str(first.storage_key), "uploads/newer")
    assert {(await Video.get(id=one.id)).storage_key for one in (first, second)} == {"uploads/new"}


async def test_twins_at_the_same_moment_are_stored_once(database, storage):
    owners = [await make_user(f"user{number}") for number in range(4)]
    for turn in range(8):
        data = f"twin {turn}".encode()
        videos = await asyncio.gather(*(upload(storage, owner, data) for owner in owners for _ in "12"))
        assert len({video.storage_key for video in videos}) == 1
        assert len(await keys(storage)) == turn + 1


async def test_an_upload_while_the_only_twin_is_deleted_keeps_a_file(database, storage):
    ada, bob = await make_user("ada"), await make_user("bob")
    for turn in range(12):
        data = f"race {turn}".encode()
        old = await upload(storage, ada, data)
        await analyse(storage, ada, old)
        pair = [upload(storage, bob, data), delete_video(storage, ada.id, old.id, late_write_seconds=LATE)]
        if turn % 2:
            pair.reverse()
        await asyncio.gather(*pair)
    await process_removals(storage)
    kept = await Video.all()
    assert {video.owner_id for video in kept} == {bob.id}
    assert await keys(storage) == {video.storage_key for video in kept}


async def test_videos_of_one_file_deleted_at_once_leave_nothing(database, storage):
    owners = [await make_user(f"user{number}") for number in range(3)]
    for _ in range(6):
        videos = [(owner, await upload(storage, owner)) for owner in owners]
        await asyncio.gather(
            *(delete_video(storage, owner.id, video.id, late_write_seconds=LATE) for owner, video in videos)
        )
        await process_removals(storage)
        assert await keys(storage) == set()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_another_process_that_registers_the_twin_is_waited_for(database, storage):
    ada = await make_user()
    data = b"from two processes"
    sha256 = hashlib.sha256(data).hexdigest()
    locked, go_on = threading.Event(), threading.Event()

    def other_process() -> None:
        connection = sqlite3.connect(database.removeprefix("sqlite://"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        columns = "id, owner_id, title, filename, storage_key, size_bytes, sha256, status, created_at"
        connection.execute(
            f"INSERT INTO videos ({columns}, fence, attempts, interruptions, has_thumbnail) "
            "VALUES (?, ?, 'x', 'x', 'uploads/theirs', ?, ?, 'PROBING', '2026-01-01', 0, 0, 0, 0)",
            (str(uuid4()), str(ada.id), len(data), sha256),
        )
        locked.set()
        go_on.wait(10)
        connection.commit()
        connection.close()

    thread = threading.Thread(target=other_process)
    thread.start()
    await asyncio.to_thread(locked.wait, 10)
    uploading = asyncio.create_task(upload(storage, ada, data))
    await asyncio.sleep(0.2)
    assert not uploading.done()
    go_on.set()
    assert (await uploading).storage_key == "uploads/theirs"
    thread.join()
