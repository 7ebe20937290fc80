"""What every storage promises, over every storage there is."""

import asyncio
import hashlib
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import pytest

from storage.base import AbstractStorage
from storage.errors import FileMissingError, InvalidKeyError, StorageError
from storage.s3_writer import PART_BYTES

MIB = 2**20


def pattern(size_bytes: int, seed: int = 0) -> bytes:
    """Bytes that differ everywhere, so that a piece out of order shows."""
    block = b"".join(hashlib.sha256(f"{seed}/{number}".encode()).digest() for number in range(4096))
    return (block * (size_bytes // len(block) + 1))[:size_bytes]


async def keys(storage: AbstractStorage, prefix: str = "") -> list[str]:
    return sorted([key async for key in storage.list(prefix)])


async def read(storage: AbstractStorage, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in storage.stream(key, start, end)])


async def leftovers(storage: AbstractStorage) -> int:
    return await storage.remove_abandoned(older_than_seconds=-60)


async def write_and_fail(storage: AbstractStorage, key: str, data: bytes) -> None:
    async with storage.writer(key) as writer:
        await writer.write(data)
        raise ZeroDivisionError


async def test_put_then_get(storage: AbstractStorage) -> None:
    await storage.put("videos/a/source.mp4", b"some bytes")
    assert await storage.get("videos/a/source.mp4") == b"some bytes"


async def test_an_empty_file_is_a_file(storage: AbstractStorage) -> None:
    await storage.put("empty", b"")
    assert await storage.get("empty") == b""
    assert await read(storage, "empty", 0, 10) == b""
    status = await storage.stat("empty")
    assert status is not None
    assert status.size_bytes == 0


@pytest.mark.parametrize(
    "size_bytes",
    [1, MIB - 1, MIB, MIB + 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 5],
)
async def test_a_written_file_comes_back_whole(storage: AbstractStorage, size_bytes: int) -> None:
    data = pattern(size_bytes)
    async with storage.writer("a/b/c") as writer:
        for start in range(0, size_bytes, 300_007):
            await writer.write(data[start : start + 300_007])
        assert await storage.stat("a/b/c") is None, "a file shows before it is whole"
    assert await storage.get("a/b/c") == data
    assert await leftovers(storage) == 0


async def test_pieces_larger_than_a_part(storage: AbstractStorage) -> None:
    data = pattern(2 * PART_BYTES + 7)
    async with storage.writer("large-piece") as writer:
        await writer.write(b"")
        await writer.write(data)
    assert await storage.get("large-piece") == data


async def test_writing_again_replaces(storage: AbstractStorage) -> None:
    await storage.put("key", b"first, and longer")
    before = await storage.stat("key")
    await storage.put("key", b"second")
    after = await storage.stat("key")
    assert await storage.get("key") == b"second"
    assert before is not None
    assert after is not None
    assert before.etag != after.etag


@pytest.mark.parametrize("size_bytes", [10, 2 * MIB, 2 * PART_BYTES + 1])
async def test_an_exception_while_writing_leaves_nothing(storage: AbstractStorage, size_bytes: int) -> None:
    with pytest.raises(ZeroDivisionError):
        await write_and_fail(storage, "never/here", pattern(size_bytes))
    assert await keys(storage) == []
    assert await leftovers(storage) == 0


async def test_a_failed_write_keeps_the_former_file(storage: AbstractStorage) -> None:
    await storage.put("key", b"former")
    with pytest.raises(ZeroDivisionError):
        await write_and_fail(storage, "key", pattern(PART_BYTES + 1))
    assert await storage.get("key") == b"former"


@pytest.mark.parametrize("delay_seconds", [0.0, 0.005, 0.05])
async def test_a_cancelled_write_leaves_nothing(storage: AbstractStorage, delay_seconds: float) -> None:
    async def write_for_ever() -> None:
        data = pattern(MIB)
        async with storage.writer("never/here") as writer:
            for _ in range(64):
                await writer.write(data)
            await asyncio.Event().wait()

    task = asyncio.create_task(write_for_ever())
    await asyncio.sleep(delay_seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await keys(storage) == []
    assert await leftovers(storage) == 0


async def test_the_last_of_concurrent_writers_wins_whole(storage: AbstractStorage) -> None:
    versions = [pattern(PART_BYTES + 1000, seed) for seed in range(4)]
    await asyncio.gather(*(storage.put("contended", data) for data in versions))
    assert await storage.get("contended") in versions
    assert await leftovers(storage) == 0


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 1),
        (0, 10),
        (5, 5),
        (7, 3),
        (3, 4),
        (MIB - 1, MIB + 1),
        (MIB + 3, None),
        (2 * MIB, None),
        (0, 10**12),
    ],
)
async def test_ranges(storage: AbstractStorage, start: int, end: int | None) -> None:
    data = pattern(2 * MIB)
    await storage.put("ranged", data)
    expected = b"" if end is not None and start >= end else data[start:end]
    assert await read(storage, "ranged", start, end) == expected


async def test_a_stream_comes_in_small_pieces_and_may_be_left(storage: AbstractStorage) -> None:
    await storage.put("streamed", pattern(5 * MIB))
    async for chunk in (stream := storage.stream("streamed")):
        assert 0 < len(chunk) <= MIB
        break
    await stream.aclose()


@pytest.mark.parametrize("key", ["missing", "a/missing/one", "there/and/below"])
async def test_missing_files(storage: AbstractStorage, key: str, tmp_path: Path) -> None:
    await storage.put("there/and", b"")
    with pytest.raises(FileMissingError, match=key):
        await storage.get(key)
    with pytest.raises(FileMissingError):
        await read(storage, key, 3, 3)
    with pytest.raises(FileMissingError):
        await storage.source(key)
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileMissingError):
        await storage.download(key, tmp_path / "folder" / "copy")
    assert os.listdir(tmp_path / "folder") == []
    assert await storage.stat(key) is None
    await storage.delete(key)


async def test_a_folder_is_no_file(storage: AbstractStorage) -> None:
    await storage.put("folder/file", b"x")
    assert await storage.stat("folder") is None
    await storage.delete("folder")
    with pytest.raises(FileMissingError):
        await storage.get("folder")
    assert await keys(storage) == ["folder/file"]


async def test_stat(storage: AbstractStorage) -> None:
    await storage.put("key", b"12345")
    status = await storage.stat("key")
    assert status is not None
    assert status.size_bytes == 5
    assert status.modified_at.tzinfo is UTC
    assert abs(datetime.now(UTC) - status.modified_at) < timedelta(minutes=5)
    assert status.etag.isascii()
    assert '"' not in status.etag
    assert await storage.stat("key") == status


async def test_list_and_delete(storage: AbstractStorage) -> None:
    names = ["a/b/1", "a/b/2", "a/b/c/3", "a/bc/4", "a/b-5", "d"]
    for name in names:
        await storage.put(name, b"x")
    assert await keys(storage) == sorted(names)
    assert await keys(storage, "a/b") == await keys(storage, "a/b/") == ["a/b/1", "a/b/2", "a/b/c/3"]
    assert await keys(storage, "nothing/here") == []
    assert await keys(storage, "d") == []
    await storage.delete("a/b/1")
    await storage.delete_prefix("a/b")
    assert await keys(storage) == ["a/b-5", "a/bc/4", "d"]
    await storage.delete_prefix("a/b")
    await storage.delete_prefix("d")
    assert await keys(storage) == ["a/b-5", "a/bc/4", "d"]


async def test_more_files_than_one_page_of_a_listing(storage: AbstractStorage) -> None:
    names = [f"many/{number:04}" for number in range(1005)]
    for start in range(0, len(names), 50):
        await asyncio.gather(*(storage.put(name, b"") for name in names[start : start + 50]))
    assert await keys(storage, "many") == names
    await storage.delete_prefix("many")
    assert await keys(storage) == []


async def test_everything_is_never_deleted_at_once(storage: AbstractStorage) -> None:
    await storage.put("key", b"x")
    for prefix in ("", "/", ".", ".."):
        with pytest.raises(InvalidKeyError):
            await storage.delete_prefix(prefix)
    assert await keys(storage) == ["key"]


@pytest.mark.parametrize("size_bytes", [0, 5, 2 * PART_BYTES + 1])
async def test_put_file_and_download(storage: AbstractStorage, tmp_path: Path, size_bytes: int) -> None:
    data = pattern(size_bytes)
    (tmp_path / "made").write_bytes(data)
    await storage.put_file("results/x.bin", tmp_path / "made")
    assert await storage.get("results/x.bin") == data
    (tmp_path / "copy").write_bytes(b"replaced")
    await storage.download("results/x.bin", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []
    assert await leftovers(storage) == 0


async def test_put_file_counts_as_new(storage: AbstractStorage, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.write_bytes(b"x")
    os.utime(made, (0, 0))
    await storage.put_file("key", made)
    status = await storage.stat("key")
    assert status is not None
    assert time.time() - status.modified_at.timestamp() < 300


async def test_put_file_of_nothing(storage: AbstractStorage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await storage.put_file("key", tmp_path / "missing")
    assert await keys(storage) == []
    assert await leftovers(storage) == 0


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "a/",
        "/a",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        "a/..",
        "a\\b",
        "..\\a",
        "a\0b",
        "a\n",
        "a b",
        "ä",
        "%2e%2e/a",
        ".incoming/a",
        "a/.hidden",
        "C:",
        "x" * 201,
        "a/" * 300 + "a",
    ],
)
async def test_what_is_no_key(storage: AbstractStorage, key: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")

    async def open_writer() -> None:
        async with storage.writer(key):
            pytest.fail("opened")

    for attempt in (
        lambda: storage.put(key, b""),
        open_writer,
        lambda: storage.put_file(key, source),
        lambda: storage.get(key),
        lambda: storage.stat(key),
        lambda: storage.delete(key),
        lambda: storage.source(key),
        lambda: storage.download(key, tmp_path / "copy"),
        lambda: storage.public_url(key, 60),
    ):
        with pytest.raises(InvalidKeyError):
            await attempt()
    assert source.exists()
    assert await keys(storage) == []


async def test_the_longest_key(storage: AbstractStorage) -> None:
    key = "/".join(["x" * 200, "y" * 200, "z" * 110])
    assert len(key) == 512
    await storage.put(key, b"x")
    assert await keys(storage) == [key]


async def test_pyav_opens_and_seeks_the_source(
    storage: AbstractStorage, media_dir: Path, tmp_path: Path
) -> None:
    clip = media_dir / "short_hamilton_clip.mp4"
    (tmp_path / "copy.mp4").write_bytes(clip.read_bytes())
    await storage.put_file("videos/clip.mp4", tmp_path / "copy.mp4")
    source = await storage.source("videos/clip.mp4")

    def first_frame_after_seek(path: str) -> tuple[int, bytes]:
        with av.open(path) as container:
            container.seek(2_000_000)
            frame = next(container.decode(video=0))
            assert frame.pts is not None
            return frame.pts, frame.to_ndarray().tobytes()

    assert await asyncio.to_thread(first_frame_after_seek, source) == first_frame_after_seek(str(clip))


async def test_young_leftovers_stay(storage: AbstractStorage) -> None:
    async with storage.writer("slow") as writer:
        await writer.write(pattern(PART_BYTES + 1))
        assert await storage.remove_abandoned(older_than_seconds=3600) == 0
    assert await keys(storage) == ["slow"]


async def test_prepare_may_be_repeated(storage: AbstractStorage) -> None:
    await storage.put("key", b"x")
    await storage.prepare()
    assert await storage.get("key") == b"x"


async def test_errors_share_a_base(storage: AbstractStorage) -> None:
    for wrong in ("missing", "../x"):
        with pytest.raises(StorageError):
            await storage.get(wrong)


async def test_free_room_is_a_number_or_unknown(storage: AbstractStorage, storage_kind: str) -> None:
    free_bytes = await storage.free_bytes()
    assert free_bytes is None if storage_kind == "s3" else free_bytes is not None and free_bytes > 0
