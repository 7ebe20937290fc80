"""What only files on a disk do."""

import asyncio
import errno
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import (
    InvalidKeyError,
    StorageConfigurationError,
    StorageError,
    StorageFullError,
    StorageUnavailableError,
)
from storage.local import LocalStorage

MIB = 2**20


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def folders_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_dir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def storage(folder: Path) -> LocalStorage:
    return LocalStorage(folder)


async def test_a_file_lies_under_its_key(storage: LocalStorage, folder: Path) -> None:
    await storage.put("a/b.txt", b"x")
    assert (folder / "a" / "b.txt").read_bytes() == b"x"
    assert await storage.source("a/b.txt") == str(folder / "a" / "b.txt")
    assert await storage.public_url("a/b.txt", 60) is None


async def test_empty_folders_go(storage: LocalStorage, folder: Path) -> None:
    await storage.put("a/b/c/d", b"x")
    await storage.put("a/e", b"x")
    await storage.delete("a/b/c/d")
    assert folders_in(folder) == [".incoming", "a"]
    await storage.delete_prefix("a")
    assert folders_in(folder) == [".incoming"]


async def test_deleting_beside_writing(storage: LocalStorage, folder: Path) -> None:
    """A delete takes away the empty folder that a write is about to use."""

    async def write_and_delete(number: int) -> None:
        for _ in range(50):
            await storage.put(f"shared/folder/{number}", b"x")
            await storage.delete(f"shared/folder/{number}")

    await asyncio.gather(*(write_and_delete(number) for number in range(6)))
    assert files_in(folder) == []
    assert folders_in(folder) == [".incoming"]


async def test_a_file_and_a_folder_of_one_name(storage: LocalStorage, folder: Path, tmp_path: Path) -> None:
    await storage.put("a/b", b"x")
    (tmp_path / "made").write_bytes(b"y")
    for key in ("a", "a/b/c", "a/b/c/d"):
        with pytest.raises(InvalidKeyError, match=key):
            await storage.put(key, b"y")
        with pytest.raises(InvalidKeyError):
            await storage.put_file(key, tmp_path / "made")
        (tmp_path / "made").write_bytes(b"y")
    assert files_in(folder) == ["a/b"]


async def test_put_file_moves(storage: LocalStorage, folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.write_bytes(b"x")
    inode = made.stat().st_ino
    await storage.put_file("a/b", made)
    assert not made.exists()
    assert (folder / "a/b").stat().st_ino == inode


async def test_put_file_copies_what_a_link_points_at(
    storage: LocalStorage, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "original").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "original")
    await storage.put_file("a", tmp_path / "link")
    assert (tmp_path / "original").read_bytes() == b"x"
    assert not (folder / "a").is_symlink()
    assert await storage.get("a") == b"x"


@pytest.fixture
def foreign_file(tmp_path: Path) -> Iterator[Path]:
    """A file of 1 MiB on another file system than `tmp_path`."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system to write to")
    path = memory / f"framewise-test-{os.getpid()}"
    path.write_bytes(b"x" * MIB)
    yield path
    path.unlink(missing_ok=True)


async def test_put_file_from_another_file_system(storage: LocalStorage, foreign_file: Path) -> None:
    await storage.put_file("a", foreign_file)
    assert await storage.get("a") == b"x" * MIB
    assert await storage.remove_abandoned(-60) == 0


@pytest.fixture
def largest_file() -> Iterator[None]:
    """No file may grow beyond 3 MiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * MIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("largest_file")
async def test_a_file_that_may_not_grow(storage: LocalStorage, folder: Path, tmp_path: Path) -> None:
    await storage.put("fits", b"x" * MIB)
    with pytest.raises(StorageFullError, match="no room"):
        await storage.put("too/large", b"x" * 4 * MIB)
    assert files_in(folder) == ["fits"]
    assert folders_in(folder) == [".incoming"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    mount_point = tmp_path / "disk"
    mount_point.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mount_point)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield mount_point
    subprocess.run(["umount", "--lazy", str(mount_point)], check=True)


async def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    storage = LocalStorage(small_disk / "files")
    await storage.put("first", b"x" * 2 * MIB)
    await storage.put("other", b"other")
    (tmp_path / "made").write_bytes(b"x" * 3 * MIB)
    for _ in range(3):
        with pytest.raises(StorageFullError):
            await storage.put("first", b"y" * 3 * MIB)
        with pytest.raises(StorageFullError):
            await storage.put_file("new", tmp_path / "made")
    assert await storage.get("first") == b"x" * 2 * MIB
    assert files_in(small_disk / "files") == ["first", "other"]
    assert (tmp_path / "made").exists()
    with pytest.raises(StorageFullError):
        await LocalStorage(tmp_path).download("made", small_disk / "copy")
    assert not (small_disk / "copy").exists()
    await storage.delete("first")
    await storage.put("new", b"y" * 3 * MIB)


async def test_old_leftovers_go_and_young_ones_stay(storage: LocalStorage, folder: Path) -> None:
    await storage.prepare()
    incoming = folder / ".incoming"
    (incoming / "old").write_bytes(b"x")
    (incoming / "old-folder").mkdir()
    (incoming / "old-folder" / "file").write_bytes(b"x")
    (incoming / "young").write_bytes(b"x")
    an_hour_ago = time.time() - 3600
    for name in ("old", "old-folder"):
        os.utime(incoming / name, (an_hour_ago, an_hour_ago))
    assert await storage.remove_abandoned(older_than_seconds=1800) == 2
    assert os.listdir(incoming) == ["young"]
    assert await LocalStorage(folder / "missing").remove_abandoned(0) == 0


async def test_unfinished_files_are_not_listed(storage: LocalStorage, folder: Path) -> None:
    async with storage.writer("a") as writer:
        await writer.write(b"x" * 2 * MIB)
        assert len(files_in(folder)) == 1
        assert [key async for key in storage.list()] == []


@pytest.mark.parametrize("fsync", [False, True])
async def test_fsync_is_a_choice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: bool
) -> None:
    calls = []
    monkeypatch.setattr(os, "fsync", calls.append)
    storage = LocalStorage(folder, fsync=fsync)
    (tmp_path / "made").write_bytes(b"x")
    await storage.put("a/b", b"x")
    await storage.put_file("a/c", tmp_path / "made")
    assert len(calls) == (4 if fsync else 0), "the file and its folder, each time"


async def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageConfigurationError, match=str(path)):
            await LocalStorage(path).prepare()


async def test_a_disk_that_fails(
    storage: LocalStorage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    await storage.put("there", b"x")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        with pytest.raises(StorageUnavailableError, match="Input/output error"):
            await storage.put("key", b"x")
    assert files_in(folder) == ["there"]
    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", fail)
        with pytest.raises(StorageError, match="Input/output error"):
            await storage.get("there")


async def test_free_room_is_that_of_the_file_system(storage: LocalStorage, folder: Path) -> None:
    await storage.prepare()
    free_bytes = await storage.free_bytes()
    assert free_bytes is not None
    assert abs(free_bytes - shutil.disk_usage(folder).free) < 2**30


async def test_free_room_of_a_folder_that_is_gone(storage: LocalStorage, folder: Path) -> None:
    with pytest.raises(StorageUnavailableError, match=r"cannot be reached: No such file"):
        await storage.free_bytes()


async def test_a_disk_that_is_full_at_the_start_is_no_wrong_setting(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touch(_path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "touch", touch)
    with pytest.raises(StorageFullError, match="No space left on device"):
        await storage.prepare()
