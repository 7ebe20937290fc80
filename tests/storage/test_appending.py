"""Files that are written in several goes, over every storage there is."""

import asyncio
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storage.appending import Saved, StorageAppender
from storage.base import AbstractStorage
from storage.errors import FileMissingError, InvalidKeyError, StorageError, WriterReplacedError
from storage.factory import create_storage
from storage.local import LocalStorage
from storage.s3 import S3Storage
from storage.s3_writer import PART_BYTES
from tests.storage.conftest import needs_s3
from tests.storage.test_contract import MIB, keys, leftovers, pattern
from tests.storage.test_local import small_disk  # noqa: F401

KEY = "uploads/one"
NOTHING = Saved(0, "")
REPOSITORY = Path(__file__).resolve().parents[2]


class File:
    """A file, and what its caller keeps of it."""

    def __init__(self, storage: AbstractStorage, key: str = KEY) -> None:
        self.storage = storage
        self.key = key
        self.saved = NOTHING
        self.fence = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[StorageAppender]:
        self.fence += 1
        async with self.storage.appender(
            self.key, state=self.saved.state, offset_bytes=self.saved.offset_bytes, fence=self.fence
        ) as appender:
            yield appender

    async def append(self, data: bytes, piece_bytes: int = MIB) -> None:
        async with self.opened() as appender:
            await appender.write([data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)])
            self.saved = await appender.save()

    async def write_out(self, data: bytes) -> None:
        await self.append(data)
        await self.finish()

    async def finish(self) -> None:
        async with self.opened() as appender:
            await appender.finish()


async def is_clean(storage: AbstractStorage, finished: bool = True) -> bool:
    return await keys(storage) == ([KEY] if finished else []) and await leftovers(storage) == 0


@pytest.mark.parametrize(
    "lengths",
    [
        [],
        [0, 1],
        [5, 0, 7],
        [MIB, MIB + 1, 3],
        [PART_BYTES],
        [PART_BYTES - 1, 1],
        [PART_BYTES - 1, 2],
        [PART_BYTES + 1, 2 * PART_BYTES, PART_BYTES - 1, 5],
        [3 * PART_BYTES + 5],
    ],
)
async def test_a_file_in_several_goes(storage: AbstractStorage, lengths: list[int]) -> None:
    data, file, at = pattern(sum(lengths)), File(storage), 0
    for length in lengths:
        await file.append(data[at : at + length], 300_007)
        at += length
        assert file.saved.offset_bytes == at
        assert await storage.stat(KEY) is None, "a file shows before it is whole"
        assert await keys(storage) == []
    await file.finish()
    assert await storage.get(KEY) == data
    assert await is_clean(storage)


async def test_finishing_at_once_and_again(storage: AbstractStorage) -> None:
    data, file = pattern(2 * PART_BYTES + 9), File(storage)
    async with file.opened() as appender:
        await appender.write([data])
        file.saved = await appender.save()
        await appender.finish()
        await appender.finish()
    await file.finish()
    assert await storage.get(KEY) == data
    assert await is_clean(storage)
    short = File(storage, "uploads/short")
    await short.append(b"short")
    await short.finish()
    await short.finish()
    assert await storage.get("uploads/short") == b"short"


async def test_what_was_not_saved_is_cut_off(storage: AbstractStorage) -> None:
    data, file = pattern(3 * PART_BYTES), File(storage)
    await file.append(data[: PART_BYTES + 100])
    for _ in range(2):
        async with file.opened() as appender:
            await appender.write([pattern(2 * PART_BYTES, seed=1)])
    await file.append(data[PART_BYTES + 100 : PART_BYTES + 200])
    await file.append(data[PART_BYTES + 200 :])
    await file.finish()
    assert await storage.get(KEY) == data


async def test_a_cheap_save_is_true_and_never_goes_back(storage: AbstractStorage) -> None:
    data, file = pattern(5 * PART_BYTES + 77), File(storage)
    await file.append(data[:1000])
    while file.saved.offset_bytes < 3 * PART_BYTES:
        before = file.saved.offset_bytes
        async with file.opened() as appender:
            for at in range(before, min(before + 2 * PART_BYTES + 300, len(data)), MIB):
                await appender.write([data[at : min(at + MIB, before + 2 * PART_BYTES + 300)]])
                saved = await appender.save(whole=False)
                assert saved.offset_bytes >= file.saved.offset_bytes >= before
                file.saved = saved
            if file.saved.offset_bytes == before:
                file.saved = await appender.save()
    await file.append(data[file.saved.offset_bytes :])
    await file.finish()
    assert await storage.get(KEY) == data


async def test_a_new_process_goes_on(
    storage_kind: str, storage: AbstractStorage, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The first one is killed in the middle of a write."""
    is_local = storage_kind == "local"
    url = (tmp_path / "files").as_uri() if is_local else request.getfixturevalue("s3_url")
    script = f"""
import asyncio, os, signal
from storage.factory import create_storage
from tests.storage.conftest import needs_s3
from tests.storage.test_contract import pattern

async def main():
    storage = create_storage({url!r})
    async with storage.appender({KEY!r}, fence=1) as appender:
        await appender.write([pattern({PART_BYTES + 50})])
        saved = await appender.save()
        print(saved.offset_bytes, saved.state, flush=True)
        await appender.write([pattern({2 * PART_BYTES}, seed=5)])
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert killed.returncode == -9, killed.stderr
    offset, _, state = killed.stdout.strip().partition(" ")
    again = create_storage(url)
    try:
        file = File(again)
        file.saved, file.fence = Saved(int(offset), state), 1
        assert file.saved.offset_bytes == PART_BYTES + 50
        data = pattern(PART_BYTES + 50) + pattern(PART_BYTES, seed=2)
        await file.append(data[PART_BYTES + 50 :])
        await file.finish()
        assert await again.get(KEY) == data
    finally:
        await again.aclose()


async def test_one_that_was_cancelled_keeps_what_was_saved(storage: AbstractStorage) -> None:
    data, file = pattern(2 * PART_BYTES), File(storage)
    has_saved = asyncio.Event()

    async def write_for_ever() -> None:
        async with file.opened() as appender:
            await appender.write([data[: PART_BYTES + 1]])
            file.saved = await appender.save()
            has_saved.set()
            while True:
                await appender.write([pattern(MIB, seed=3)])
                await asyncio.sleep(0)

    task = asyncio.create_task(write_for_ever())
    await has_saved.wait()
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await file.append(data[file.saved.offset_bytes :])
    await file.finish()
    assert await storage.get(KEY) == data


@pytest.mark.parametrize("length", [100, 2 * PART_BYTES + 100])
async def test_what_a_former_writer_writes_does_not_get_in(storage: AbstractStorage, length: int) -> None:
    file, data = File(storage), pattern(length, seed=7)
    async with file.opened() as former:
        await former.write([pattern(50)])
        async with file.opened() as later:
            await later.write([data[:60]])
            for seed in (8, 9):
                try:
                    await former.write([pattern(length, seed)])
                    await former.save()
                except WriterReplacedError:
                    pass
            await later.write([data[60:]])
            file.saved = await later.save()
            try:
                await later.finish()
            except FileMissingError:
                assert isinstance(storage, S3Storage)
                assert await storage.stat(KEY) is None
            else:
                assert await storage.get(KEY) == data


async def test_a_former_writer_on_a_disk_is_refused(local_storage: LocalStorage) -> None:
    async with local_storage.appender(KEY, fence=5) as former:
        await former.write([b"former"])
        async with local_storage.appender(KEY, fence=6) as later:
            await later.write([b"later"])
            for attempt in (lambda: former.write([b"x"]), former.finish):
                with pytest.raises(WriterReplacedError):
                    await attempt()
            with pytest.raises(WriterReplacedError):
                async with local_storage.appender(KEY, fence=5):
                    pytest.fail("opened")
            await later.finish()
    assert await local_storage.get(KEY) == b"later"


@pytest.mark.parametrize("length", [10, PART_BYTES + 10])
async def test_discarding(storage: AbstractStorage, length: int) -> None:
    file, other = File(storage), File(storage, f"{KEY}1")
    await storage.discard_unfinished(KEY)
    await file.append(pattern(length))
    await other.append(pattern(length))
    async with file.opened() as appender:
        await storage.discard_unfinished(KEY)
        await storage.discard_unfinished(KEY)
        await appender.write([b"x"])
        if isinstance(storage, LocalStorage) or length > PART_BYTES:
            with pytest.raises(FileMissingError):
                await appender.finish()
    with pytest.raises(FileMissingError):
        await file.write_out(b"more")
    await other.append(b"more")
    await other.finish()
    assert await storage.get(other.key) == pattern(length) + b"more"
    assert await leftovers(storage) == 0


async def test_leftovers_are_collected_unless_somebody_goes_on(storage: AbstractStorage) -> None:
    files = [File(storage, f"uploads/{name}") for name in ("kept", "dropped", "small", "kept-small")]
    for file, length in zip(files, (PART_BYTES + 5, PART_BYTES + 5, 5, 5), strict=True):
        await file.append(pattern(length))
    kept = {"uploads/kept", "uploads/kept-small"}
    assert await storage.remove_abandoned(3600) == 0
    assert await storage.remove_abandoned(-60, kept) == (3 if isinstance(storage, S3Storage) else 2)
    for file in files:
        if file.key in kept:
            await file.append(b"more")
            await file.finish()
        else:
            with pytest.raises(FileMissingError):
                await file.write_out(b"more")
    assert set(await keys(storage)) == kept
    assert await leftovers(storage) == 0


async def test_what_is_no_key_is_refused(storage: AbstractStorage) -> None:
    for key in ("", "../x", ".hidden", "a//b"):
        with pytest.raises(InvalidKeyError):
            async with storage.appender(key):
                pytest.fail("opened")
        with pytest.raises(InvalidKeyError):
            await storage.discard_unfinished(key)


async def test_tiny_pieces(local_storage: LocalStorage) -> None:
    file, data = File(local_storage), pattern(5000)
    await file.append(data, 1)
    await file.finish()
    assert await local_storage.get(KEY) == data


async def test_some_of_the_file_was_lost(local_storage: LocalStorage, tmp_path: Path) -> None:
    file = File(local_storage)
    await file.append(b"x" * 100)
    os.truncate(tmp_path / "files" / ".partial" / KEY, 99)
    with pytest.raises(FileMissingError):
        await file.append(b"y")


async def test_young_leftovers_of_a_disk_stay(local_storage: LocalStorage, tmp_path: Path) -> None:
    old, young = File(local_storage, "uploads/old"), File(local_storage, "uploads/young")
    for file in (old, young):
        await file.append(b"x")
    an_hour_ago = time.time() - 3600
    for path in (tmp_path / "files" / ".partial" / "uploads").iterdir():
        if "old" in path.name:
            os.utime(path, (an_hour_ago, an_hour_ago))
    assert await local_storage.remove_abandoned(1800) == 1
    await young.append(b"y")
    assert [path.name for path in (tmp_path / "files" / ".partial" / "uploads").iterdir()] != []


async def test_a_full_disk_keeps_what_was_stored(small_disk: Path) -> None:  # noqa: F811
    storage = LocalStorage(small_disk / "files")
    file, data = File(storage), pattern(3 * MIB)
    await storage.put("other", b"x" * 2 * MIB)
    async with file.opened() as appender:
        await appender.write([data[:MIB]])
        with pytest.raises(StorageError, match="no room"):
            await appender.write([data[MIB:]])
        file.saved = await appender.save()
    assert file.saved.offset_bytes == MIB
    await storage.delete("other")
    await file.append(data[MIB:])
    await file.finish()
    assert await storage.get(KEY) == data


@pytest.mark.parametrize("fsync", [False, True])
async def test_fsync_is_a_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: bool) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    file = File(LocalStorage(tmp_path / "files", fsync=fsync))
    await file.append(b"x")
    await file.finish()
    assert len(calls) == (3 if fsync else 0), "what is saved, the file, its folder"


@needs_s3
async def test_memory_stays_small(s3_storage: S3Storage) -> None:
    file, block = File(s3_storage), b"x" * MIB
    await file.append(block)
    tracemalloc.start()
    try:
        async with file.opened() as appender:
            for _ in range(96):
                await appender.write([block])
            file.saved = await appender.save()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 6 * PART_BYTES
