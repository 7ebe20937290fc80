"""Why an analysis process ended."""

import signal

from tasks.process.errors import ProcessDiedError

_NEAR_LIMIT = 0.9
_MIB = 2**20
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM})
_LAST_WORDS = (b"std::bad_alloc", b"MemoryError")
"""What a process says that ends for want of memory."""


def out_of_memory(limit_bytes: int) -> str:
    """The reason of work that needs more memory than allowed."""
    return f"out of memory at {limit_bytes // _MIB} MB"


def cause_of_death(
    exit_code: int, *, limit_bytes: int, data_bytes: int, last_words: bytes
) -> ProcessDiedError:
    """The true cause.

    Args:
        exit_code: Negative for the signal that ended it.
        limit_bytes: The most memory it may take.
        data_bytes: What it took when last looked at.
        last_words: What it wrote on standard error.
    """
    if data_bytes >= _NEAR_LIMIT * limit_bytes or any(words in last_words for words in _LAST_WORDS):
        return ProcessDiedError(out_of_memory(limit_bytes))
    if exit_code >= 0:
        return ProcessDiedError(f"ended with exit code {exit_code}")
    number = -exit_code
    if number in _FROM_OUTSIDE:
        return ProcessDiedError(f"was ended by {_signal_name(number)}", is_interruption=True)
    return ProcessDiedError(f"crashed with {_signal_name(number)}")


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
