"""Telling a fault of the file from one of the machine or the network that it is read with."""

import errno
import os
import stat

import av

# What FFmpeg raises for a file's fault wherever the file lies.
FILE_FAULTS = (
    av.error.InvalidDataError,
    av.error.ArgumentError,
    av.error.LookupError,
    av.error.EOFError,
    av.error.ExternalError,
    av.error.InputChangedError,
    av.error.OutputChangedError,
    av.error.MemoryError,
    av.error.NotImplementedError,
    av.error.OverflowError,
    av.error.PatchWelcomeError,
    av.error.BufferTooSmallError,
    av.error.ExperimentalError,
    av.error.BugError,
    av.error.UndefinedError,
    av.error.UnknownError,
)

_CHUNK_BYTES = 1 << 20
# Never a demuxer's word on a file: no room, no descriptors, interruption, a network disk that is gone.
_OF_THIS_MACHINE = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EMFILE,
        errno.ENFILE,
        errno.EINTR,
        errno.ETIMEDOUT,
        errno.ESTALE,
        errno.ENODEV,
        errno.ENXIO,
    }
)
# Demuxers' and decoders' words that no network connection says: -1 for any fault, refused pictures.
_OF_REMOTE_FILES = frozenset({errno.EPERM, errno.EBUSY, errno.EOPNOTSUPP, errno.EFBIG})


def is_remote(source: object) -> bool:
    """Whether `source` is an http(s) URL rather than a path."""
    return str(source).startswith(("http://", "https://"))


def is_file_fault(error: Exception, source: object) -> bool:
    """Whether `error`, raised by FFmpeg while it read `source`, is the file's fault.

    Demuxers return system error numbers for broken files too. For a local file they are believed to mean the
    machine only where it cannot read the file.

    Args:
        error: What was raised.
        source: Path, http(s) URL, or FFmpeg's name of either.
    """
    if isinstance(error, FILE_FAULTS):
        return True
    if not (isinstance(error, av.error.FFmpegError) and isinstance(error, OSError)):
        return False
    if error.errno in _OF_THIS_MACHINE:
        return False
    if is_remote(source):
        return error.errno in _OF_REMOTE_FILES
    return _is_readable(str(source).removeprefix("file:"), to_the_end=error.errno == errno.EIO)


def _is_readable(path: str, *, to_the_end: bool) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return False
            while file.read(_CHUNK_BYTES) and to_the_end:
                pass
    except OSError:
        return False
    return True
