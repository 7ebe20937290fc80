"""No network for processes that read local files: system calls that lead to it fail, on Linux."""

import ctypes
import errno
import platform
import struct
import sys
from dataclasses import dataclass

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_FAIL_WITH_EACCES = 0x00050000 | errno.EACCES

# Classic BPF, as <linux/filter.h> names it; the offsets are those of struct seccomp_data.
_LOAD_WORD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_CALL_OFFSET, _ARCHITECTURE_OFFSET = 0, 4
_INSTRUCTION = struct.Struct("HBBI")


@dataclass(frozen=True)
class _Architecture:
    audit_number: int
    socket_call: int
    ptrace_call: int


_ARCHITECTURES = {
    "x86_64": _Architecture(0xC000003E, socket_call=41, ptrace_call=101),
    "aarch64": _Architecture(0xC00000B7, socket_call=198, ptrace_call=117),
}
_IO_URING_SETUP, _PIDFD_GETFD = 425, 438
_X32_CALLS = 0x40000000
"""From this number on, x86_64 kernels offer the same calls once more."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def forbid_network() -> bool:
    """From here on, opening a socket fails with EACCES in this process and those it starts.

    So does what would get around it: io_uring, and taking another process's socket. Call it before there are
    other threads. Returns whether the platform could do it.
    """
    architecture = _ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or sys.maxsize < 2**32 or architecture is None:
        return False
    code = _filter(architecture)
    program = _Program(len(code) // _INSTRUCTION.size, code)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    zero = ctypes.c_ulong(0)
    if prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero):
        return False
    return not prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program), zero, zero)


def _filter(architecture: _Architecture) -> bytes:
    """Fail for the calls of another architecture and for those that lead to a socket, else allow."""
    refused = [architecture.socket_call, architecture.ptrace_call, _IO_URING_SETUP, _PIDFD_GETFD]
    steps = len(refused) + 1
    code = [
        (_LOAD_WORD, 0, 0, _ARCHITECTURE_OFFSET),
        (_JUMP_IF_EQUAL, 0, steps + 2, architecture.audit_number),
        (_LOAD_WORD, 0, 0, _CALL_OFFSET),
        (_JUMP_IF_AT_LEAST, steps, 0, _X32_CALLS),
        *((_JUMP_IF_EQUAL, steps - 1 - i, 0, call) for i, call in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _FAIL_WITH_EACCES),
    ]
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in code)
