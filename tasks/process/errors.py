"""How a request to an analysis process may fail."""

from collections.abc import Sequence


class ProcessDiedError(Exception):
    """Raised when an analysis process ended instead of answering.

    The message is the end of a sentence: "crashed with signal 11 (SIGSEGV)".

    Attributes:
        is_interruption: Whether somebody outside ended it, so that the work is not to blame.
    """

    def __init__(self, message: str, *, is_interruption: bool = False) -> None:
        super().__init__(message)
        self.is_interruption = is_interruption


class JobTimedOutError(ProcessDiedError):
    """Raised when a job passed its time limit and its process was ended for it."""


class JobError(Exception):
    """Raised when the process answered with an error.

    Attributes:
        kind: Class name of what was raised there.
        kinds: The same with its base classes, nearest first.
    """

    def __init__(self, kind: str, kinds: Sequence[str], message: str) -> None:
        super().__init__(message or kind)
        self.kind = kind
        self.kinds = tuple(kinds)
