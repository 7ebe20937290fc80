"""Runs a command that does not outlive the process which started it, however that one ends.

Called as a script, so that it needs nothing but the standard library and starts in a few milliseconds:

    python -I -S lifeline.py PARENT_PID PIPE_FD COMMAND…

On Linux the kernel is asked to kill this process with its parent (PR_SET_PDEATHSIG), then COMMAND takes its
place: nothing stays in between. The request survives `execve`, but it is about the parent's *thread* that
forked, so start it from the main thread. Elsewhere this process stays as the leader of its process group,
runs COMMAND in it, and ends the group when the pipe, whose other end only the parent holds, reports the end
of file. Start it in a session or process group of its own.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

GRACE_SECONDS = 3.0
_PR_SET_PDEATHSIG = 1


def tied_command(command: Sequence[str], pipe_fd: int) -> list[str]:
    """The command line that runs `command` for as long as this process lives.

    Args:
        command: Program and arguments.
        pipe_fd: The reading end of a pipe whose writing end only this process holds; to be inherited.
    """
    return [sys.executable, "-I", "-S", str(Path(__file__)), str(os.getpid()), str(pipe_fd), *command]


def _die_with_parent(parent_pid: int) -> bool:
    """Whether the kernel will end this process with its parent; exits if the parent has ended already."""
    if sys.platform != "linux":
        return False
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0):
        return False
    if os.getppid() != parent_pid:
        sys.exit(1)
    return True


def _run_watched(command: Sequence[str], pipe_fd: int) -> int:
    """Run `command` until it ends or the pipe's other end is closed; its exit status as a shell gives it."""
    child = subprocess.Popen(command, close_fds=False)

    def forward(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)

    def end_with_pipe() -> None:
        while os.read(pipe_fd, 1):
            pass
        child.terminate()
        time.sleep(GRACE_SECONDS)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=end_with_pipe, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _main(arguments: Sequence[str]) -> None:
    parent_pid, pipe_fd, *command = arguments
    if _die_with_parent(int(parent_pid)):
        os.close(int(pipe_fd))
        os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command line
    os.set_inheritable(int(pipe_fd), False)
    sys.exit(_run_watched(command, int(pipe_fd)))


if __name__ == "__main__":
    _main(sys.argv[1:])
