"""The checks of `make chaos` find what they look for."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.history import illegal_history
from tests.chaos.jobs import JOBS, fresh_content
from tests.chaos.ledger import SqliteLedger
from tests.chaos.processes import Census, Kind
from tests.chaos.results import differences
from tests.chaos.sampler import Held, Sample
from tests.chaos.verdict import Verdict, stray_files, stuck_rows

TABLES = """
CREATE TABLE videos (id TEXT, storage_key TEXT, sha256 TEXT, status TEXT, lease_expires_at REAL);
CREATE TABLE analyses (id TEXT, status TEXT, lease_expires_at REAL);
CREATE TABLE segments (id TEXT, analysis_id TEXT, status TEXT, lease_expires_at REAL);
CREATE TABLE events (owner_id TEXT, number INTEGER, kind TEXT, analysis_id TEXT);
INSERT INTO videos VALUES ('v', 'uploads/u', 'abc', 'READY', NULL);
INSERT INTO analyses VALUES ('a', 'SUCCEEDED', NULL);
"""
KEPT = ("uploads/u", "videos/v/timeline.npz", "detections/abc/1.parquet", "analyses/a/result.json")


class Database:
    """A little of a server's database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = SqliteLedger(str(path))
        self.write(TABLES)

    def write(self, script: str) -> None:
        connection = sqlite3.connect(self.path)
        connection.executescript(script)
        connection.close()


@pytest.fixture
async def database_file(tmp_path):
    made = Database(tmp_path / "database")
    yield made
    await made.ledger.aclose()


def store(folder: Path, *keys: str) -> Path:
    for key in keys:
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).touch()
    return folder


async def test_what_rows_refer_to_is_no_stray_file(database_file, tmp_path):
    assert await stray_files(database_file.ledger, store(tmp_path / "files", *KEPT)) == []


@pytest.mark.parametrize(
    "key",
    [
        "uploads/x",
        "videos/x/thumbnail.jpg",
        "detections/x/1.parquet",
        "analyses/x/result.json",
        "analyses/a/tracker/000001.state",
        ".incoming/x",
    ],
)
async def test_stray_files_are_found(database_file, tmp_path, key):
    assert await stray_files(database_file.ledger, store(tmp_path / "files", *KEPT, key)) == [key]


async def test_a_missing_upload_is_found(database_file, tmp_path):
    found = await stray_files(database_file.ledger, store(tmp_path / "files", *KEPT[1:]))
    assert found == ["uploads/u is missing"]


@pytest.mark.parametrize(
    "row",
    [
        "INSERT INTO analyses VALUES ('b', 'RUNNING', NULL)",
        "INSERT INTO segments VALUES ('s', 'a', 'WAITING', NULL)",
        "UPDATE videos SET lease_expires_at = 1",
    ],
)
async def test_stuck_rows_are_found(database_file, row):
    assert await stuck_rows(database_file.ledger) == []
    database_file.write(row)
    assert len(await stuck_rows(database_file.ledger)) == 1


@pytest.mark.parametrize(
    ("statuses", "legal"),
    [
        ("QUEUED RUNNING PAUSED QUEUED RUNNING SUCCEEDED DELETED", True),
        ("QUEUED CANCELLED QUEUED RUNNING FAILED", True),
        ("RUNNING", False),
        ("QUEUED RUNNING SUCCEEDED PAUSED", False),
        ("QUEUED RUNNING RUNNING", False),
        ("QUEUED DELETED RUNNING", False),
    ],
)
async def test_illegal_changes_of_state_are_found(database_file, statuses, legal):
    for number, status in enumerate(statuses.split(), 1):
        database_file.write(f"INSERT INTO events VALUES ('o', {number}, 'ANALYSIS_{status}', 'a')")
    assert (await illegal_history(database_file.ledger) == []) is legal


async def test_a_gap_in_the_event_log_is_found(database_file):
    database_file.write(
        "INSERT INTO events VALUES ('o', 1, 'VIDEO_READY', NULL), ('o', 3, 'VIDEO_READY', NULL)"
    )
    assert await illegal_history(database_file.ledger) == ["2 events numbered 1 to 3"]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found through /proc")
async def test_processes_are_found_by_their_parents_and_by_their_environment(tmp_path):
    census = Census(f"={tmp_path}/")
    command = [sys.executable, "-c", "import time; time.sleep(60)", "cli", "worker"]
    process = subprocess.Popen(command, env={"TMPDIR": f"{tmp_path}/tmp"})
    try:
        census.roots = {process.pid}
        async with asyncio.timeout(60):
            while not (found := census.of(Kind.WORKER)):
                await asyncio.sleep(0.02)
        assert [one.pid for one in found] == [process.pid]
        assert found[0].cpu_seconds() is not None
        assert [one.pid for one in Census(f"={tmp_path}/").left_over()] == [process.pid]
        assert process.pid in [one.pid for one in census.left_over()]
    finally:
        process.kill()
        process.wait()
    assert census.left_over() == []
    assert found[0].cpu_seconds() is None


def test_only_a_new_claim_or_renewal_is_a_sign_of_life():
    before = Sample(0, {("segment", "1"): Held(1, 10, 5.0), ("segment", "2"): Held(1, 10, 5.0)})
    stale = Sample(1, dict(before.leases))
    assert (stale.alive_since(before), stale.claimed_since(before)) == (0, False)
    renewed = Sample(1, {**before.leases, ("segment", "1"): Held(1, 10, 5.2)})
    assert (renewed.alive_since(before), renewed.claimed_since(before)) == (1, False)
    claimed = Sample(1, {**before.leases, ("segment", "1"): Held(2, 0, 5.2)})
    assert (claimed.alive_since(before), claimed.claimed_since(before)) == (1, True)


def test_results_differ_where_bytes_do():
    assert differences({"CSV": b"1", "JSON": b"2"}, {"CSV": b"1", "JSON": b"2"}) == []
    assert differences({"CSV": b"1", "JSON": b"2"}, {"CSV": b"3", "OVERLAY": b""}) == [
        "CSV",
        "JSON",
        "OVERLAY",
    ]


def test_a_missed_aim_fails_nothing_and_a_broken_promise_does():
    verdict = Verdict()
    verdict.at_most("an aim", 2, 1, is_aim=True)
    assert verdict.exit_code == 0
    verdict.none("a promise", ["broken"])
    assert verdict.exit_code == 1


@pytest.mark.parametrize("clip", sorted({job.clip for job in JOBS}))
def test_fresh_content_is_longer_and_different_each_time(media_dir, tmp_path, clip):
    source = (media_dir / clip).read_bytes()
    first, second = (fresh_content(media_dir / clip, tmp_path) for _ in range(2))
    assert first != second
    assert first.startswith(source)
    assert list(tmp_path.iterdir()) == []
