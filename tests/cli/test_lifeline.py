import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import lifeline
from tests.cli.processes import PARENT, REPOSITORY, SLEEPER, STUBBORN, eventually_sync, is_running

# A process that starts a tied command as the supervisor does, says its pid, and waits.
STARTER = """
import os, subprocess, sys
from cli.lifeline import tied_command
read, write = os.pipe()
command = tied_command([sys.executable, "-u", "-c", sys.argv[1]], read)
if sys.argv[2] == "watched":
    command[3:4] = ["-c", "import runpy, sys; sys.platform = 'other'; sys.argv = sys.argv[1:];"
                    f"runpy.run_path({command[3]!r}, run_name='__main__')", command[3]]
child = subprocess.Popen(command, pass_fds=(read,), start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


def start(program: str, mode: str) -> tuple[subprocess.Popen[bytes], int]:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, program, mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert starter.stdout is not None
    return starter, int(starter.stdout.readline())


def end(starter: subprocess.Popen[bytes]) -> None:
    starter.kill()
    starter.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux")
@pytest.mark.parametrize("program", [SLEEPER, STUBBORN])
def test_on_linux_the_command_takes_the_place_of_the_wrapper_and_dies_with_its_parent(program):
    starter, pid = start(program, "kernel")
    try:
        assert b"lifeline.py" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert is_running(pid)
    finally:
        end(starter)
    eventually_sync(lambda: not is_running(pid), "the child ended with its parent")


@pytest.mark.parametrize("program", [SLEEPER, STUBBORN])
def test_elsewhere_the_pipe_ends_the_command_and_the_wrapper(program):
    starter, pid = start(program, "watched")
    group = processes_of_group(pid)
    try:
        assert len(group) == 2
    finally:
        end(starter)
    for member in group:
        eventually_sync(lambda member=member: not is_running(member), "wrapper and command ended")


def test_elsewhere_the_exit_code_and_signals_pass_through(tmp_path):
    program = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print('up'); time.sleep(1000)"
    )
    starter, pid = start(program, "watched")
    try:
        os.kill(pid, 15)
        eventually_sync(lambda: not is_running(pid), "SIGTERM was passed on")
    finally:
        end(starter)


def test_a_parent_that_is_gone_already_means_not_to_start(tmp_path):
    mark = tmp_path / "ran"
    read, write = os.pipe()
    command = lifeline.tied_command([sys.executable, "-c", f"open({str(mark)!r}, 'w')"], read)
    command[4] = "1"  # somebody else's pid: the parent it expects is not there
    code = subprocess.run(command, pass_fds=(read,), start_new_session=True).returncode
    os.close(read)
    os.close(write)
    if sys.platform == "linux":
        assert code == 1
        assert not mark.exists()


def test_grandchildren_are_in_the_session_that_the_supervisor_sweeps():
    starter, pid = start(PARENT, "kernel")
    try:
        group = processes_of_group(pid)
        assert len(group) == 2
        os.killpg(pid, 9)
        for member in group:
            eventually_sync(lambda member=member: not is_running(member), "the group ended")
    finally:
        end(starter)


def processes_of_group(group: int) -> list[int]:
    found = subprocess.run(["ps", "-eo", "pid=,pgid="], capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid, pgid in (line.split() for line in found.splitlines()) if int(pgid) == group]
