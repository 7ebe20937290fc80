"""What closed connections leave for the garbage collector, and how much it looks at."""

import gc
import os
import subprocess
import sys
from types import FrameType

import pytest

from cli.api_server import garbage
from cli.api_server.garbage import GarbageKeeper
from tests.cli.api_server.leavings import EXCHANGES
from tests.cli.processes import REPOSITORY


def test_a_closed_connection_leaves_no_cycles(tmp_path) -> None:
    """In a process of its own: nothing else must be made or freed there."""
    environment = os.environ | {"FRAMEWISE_DATA_DIR": str(tmp_path), "FRAMEWISE_LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "tests.cli.api_server.leavings"]
    answer = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300
    )
    left = dict(line.split(": ") for line in answer.stdout.splitlines())
    assert left == dict.fromkeys(EXCHANGES, "0 objects"), answer.stdout + answer.stderr


@pytest.fixture
def keeper(monkeypatch):
    """One that begins with nothing to look at; automatic collections are off."""
    monkeypatch.setattr(garbage, "_MANY_OBJECTS", 1_000)
    monkeypatch.setattr(garbage, "_TOO_MANY_OBJECTS", 10_000)
    monkeypatch.setattr(garbage, "_WORTH_A_LOOK", 3)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield GarbageKeeper()
    finally:
        gc.enable()
        gc.unfreeze()


def _in_sight() -> int:
    return sum(len(gc.get_objects(generation)) for generation in range(3))


def _cycle() -> list:
    one: list = []
    one.append(one)
    return one


def test_what_lives_long_is_put_out_of_sight(keeper):
    kept = [[] for _ in range(3_000)]
    assert _in_sight() >= 3_000
    keeper.check(0)
    assert _in_sight() >= 3_000
    keeper.check(0)
    assert _in_sight() < 1_000
    assert kept


def test_garbage_among_the_newest_is_freed_at_once(keeper):
    for _ in range(3_000):
        _cycle()
    keeper.check(0)
    assert _in_sight() < 1_000


def test_no_more_is_looked_at_than_takes_a_moment(keeper):
    looked_at: list[int] = []
    gc.callbacks.append(
        lambda phase, info: looked_at.append(info["generation"]) if phase == "start" else None
    )
    try:
        kept = [[] for _ in range(20_000)]
        keeper.check(0)
        assert _in_sight() < 1_000
        assert not looked_at
    finally:
        gc.callbacks.pop()
    assert kept


def test_garbage_that_was_put_away_is_found_when_all_is_quiet(keeper, monkeypatch):
    frees: list[int] = []
    monkeypatch.setattr(garbage, "_QUIET_SECONDS", 0.0)
    monkeypatch.setattr(garbage, "_QUIET_CPU_SHARE", 0.0)
    for _ in range(3):
        kept = [_cycle() for _ in range(3_000)]
        keeper.check(0)
        keeper.check(0)
        del kept
    gc.callbacks.append(lambda phase, info: frees.append(info["collected"]) if phase == "stop" else None)
    try:
        keeper.check(0)
        assert not frees, "the process is busy"
        monkeypatch.setattr(garbage, "_QUIET_CPU_SHARE", float("inf"))
        keeper.check(0)
    finally:
        gc.callbacks.pop()
    assert sum(frees) >= 9_000


def test_garbage_is_looked_for_at_any_time_when_there_is_much(keeper, monkeypatch):
    monkeypatch.setattr(garbage, "_QUIET_CPU_SHARE", 0.0)
    monkeypatch.setattr(garbage, "_SPARE_BLOCKS", 5_000)
    before = sys.getallocatedblocks()
    for _ in range(30):
        kept = [_cycle() for _ in range(3_000)]
        keeper.check(0)
        keeper.check(0)
        del kept
    assert sys.getallocatedblocks() - before < 60_000


def test_no_python_code_holds_a_list_of_all_objects(keeper):
    """A tuple that another thread is just making has two owners meanwhile, and fails to grow: SystemError."""
    called: list[object] = []

    def note(_frame: FrameType, event: str, function: object) -> None:
        # What C code calls, as `map` does, is not told here: no other thread can come in between.
        if event == "c_call":
            called.append(function)

    sys.setprofile(note)
    try:
        keeper.check(0)
    finally:
        sys.setprofile(None)
    assert gc.get_objects not in called
