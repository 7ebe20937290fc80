"""Freeing what dead workers held: on SQLite and PostgreSQL, with real processes."""

import subprocess
import sys

from domain.analyses.models import Analysis, Segment
from domain.analyses.sweeping import expire_dead_leases, sweep_expired
from domain.duties import Duty, take_duty
from domain.holders import is_dead, this_process
from domain.leases import Patience
from domain.videos.models import Video
from domain.videos.service import claim_probe, sweep_expired_probes
from tests.domain.analyses.rows import LEASE_SECONDS, advance, claim, make_analysis, make_user, upload

PATIENCE = Patience(max_attempts=3, max_interruptions=3)
NAME_ITSELF = "from domain.holders import this_process; print(this_process(), flush=True); input()"


def another_process() -> tuple[subprocess.Popen[str], str]:
    """A process that waits for a line, and its name as a holder."""
    process = subprocess.Popen(
        [sys.executable, "-c", NAME_ITSELF], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=30)


def test_a_process_is_dead_once_it_has_ended_and_only_then() -> None:
    process, name = another_process()
    try:
        assert not is_dead(name)
        assert not is_dead(this_process())
    finally:
        end(process)
    assert is_dead(name)


def test_a_reused_process_id_is_another_process() -> None:
    machine, pid, started = this_process().split("/")
    assert is_dead(f"{machine}/{pid}/{int(started) - 1}")


def test_of_other_machines_nothing_is_known() -> None:
    process, name = another_process()
    end(process)
    _, pid, started = name.split("/")
    assert not is_dead(f"elsewhere/{pid}/{started}")
    assert not is_dead("nonsense")
    assert not is_dead("")


async def test_what_a_dead_process_held_is_free_at_once_and_the_rest_is_not(database: str) -> None:
    process, name = another_process()
    owner = await make_user()
    held = await make_analysis(owner, segments=3)
    dead, alive = await claim(), await claim()
    advanced = await make_analysis(await make_user("bob"), segments=1)
    await Analysis.filter(id=advanced.id).update(holder=name, lease_expires_at=1e12, attempts=1)
    await Segment.filter(id=dead.segment.id).update(holder=name)
    assert await take_duty("sweep", name, 1000.0)
    end(process)
    assert not await take_duty("sweep", this_process(), 1000.0)
    assert await expire_dead_leases() == 1
    assert await sweep_expired(PATIENCE) == []
    assert await take_duty("sweep", this_process(), 1000.0)
    segments = await Segment.filter(analysis_id=held.id).order_by("number")
    assert [segment.status for segment in segments] == ["WAITING", "RUNNING", "WAITING"]
    assert (segments[0].interruptions, segments[0].attempts, segments[0].holder) == (1, 0, None)
    assert segments[1].id == alive.segment.id
    row = await Analysis.get(id=advanced.id)
    assert (row.lease_expires_at, row.holder, row.advance_due, row.attempts) == (None, None, True, 0)
    assert await expire_dead_leases() == 0


async def test_a_video_whose_probe_is_interrupted_again_and_again_is_given_up(database: str) -> None:
    owner = await make_user()
    video = await upload(owner)
    for number in range(1, 4):
        claimed = await claim_probe(owner.id, LEASE_SECONDS)
        assert claimed is not None
        assert await claim_probe(owner.id, LEASE_SECONDS) is None
        await Video.filter(id=video.id).update(lease_expires_at=1.0)
        given_up = await sweep_expired_probes(PATIENCE.max_interruptions)
        assert [lease.id for lease in given_up] == ([video.id] if number == 3 else [])
    assert given_up[0].fence == claimed[0].fence + 1


async def test_one_holder_at_a_time_has_a_duty(database: str) -> None:
    assert await take_duty("sweep", "one", 1000.0)
    assert await take_duty("sweep", "one", 1000.0)
    assert not await take_duty("sweep", "two", 1000.0)
    assert await take_duty("other", "two", 1000.0)
    await Duty.filter(name="sweep").update(expires_at=1.0)
    assert await take_duty("sweep", "two", 1000.0)


async def test_a_running_advance_is_left_alone(database: str) -> None:
    owner = await make_user()
    await make_analysis(owner, segments=1)
    await Analysis.all().update(advance_due=True)
    await advance(owner)
    assert await sweep_expired(PATIENCE) == []
    assert await Analysis.filter(lease_expires_at=None).count() == 0
