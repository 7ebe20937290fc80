"""What an error means for the piece of work it ended."""

import errno
import logging
from dataclasses import dataclass

from domain.leases import Ending, Lease, Patience
from domain.outages import is_outage
from ml_models.errors import MLModelError
from storage.errors import (
    FileMissingError,
    StorageConfigurationError,
    StorageFullError,
    StorageUnavailableError,
)
from tasks.process.errors import JobError, ProcessDiedError

log = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_STORAGE = (StorageFullError, StorageUnavailableError, StorageConfigurationError)

RESTART_HELPS = "This need not be its fault: restart it to go on."
"""What is said to those whose work somebody interrupted too often."""


@dataclass(frozen=True)
class Outcome:
    """How a claim ended, why, in words that fit into a sentence, and what follows.

    `is_final`: a second try cannot mend it. `holds_worker`: it is not the work's fault but this machine's.
    """

    ending: Ending
    reason: str
    is_final: bool = False
    holds_worker: bool = False

    def ends_work(self, lease: Lease, patience: Patience) -> bool:
        """Whether the work is given up."""
        return self.is_final or lease.is_hopeless(self.ending, patience)

    def told(self, what: str, lease: Lease) -> str:
        """The sentence for the owner of the work, once it is given up."""
        if self.is_final:
            return self.reason
        reason = self.reason.rstrip(".")
        if self.ending is Ending.INTERRUPTED:
            return f"{what} was interrupted {lease.interruptions + 1} times: {reason}. {RESTART_HELPS}"
        times = "once" if lease.attempts == 1 else f"{lease.attempts} times"
        return f"{what} failed {times}: {reason}."


def outcome_of(error: Exception, permanent: frozenset[str] = frozenset()) -> Outcome:
    """What an error means. One that nobody foresaw is logged with its traceback.

    `permanent` names errors of the analysis process, classes or base classes, that a second try cannot mend.
    """
    if isinstance(error, JobError):
        return _outcome_of_job(error, permanent)
    if isinstance(error, ProcessDiedError):
        ending = Ending.INTERRUPTED if error.is_interruption else Ending.FAILED
        return Outcome(ending, str(error))
    if isinstance(error, _OF_STORAGE) or _is_for_want_of_room(error):
        return Outcome(Ending.ORDERLY, f"storage failed: {error}", holds_worker=True)
    if isinstance(error, MLModelError):
        return Outcome(Ending.FAILED, str(error), is_final=True)
    if isinstance(error, FileMissingError):
        return Outcome(Ending.FAILED, f"a stored file is missing: {error}")
    if is_outage(error):
        return Outcome(Ending.ORDERLY, "the database was away")
    log.error("a piece of work failed", exc_info=error)
    return Outcome(Ending.FAILED, "an error of this server, which its log has")


def _is_for_want_of_room(error: BaseException | None) -> bool:
    """Whether a full disk is at the bottom of it, such as of weights that could not be downloaded."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


def _outcome_of_job(error: JobError, permanent: frozenset[str]) -> Outcome:
    if permanent.intersection(error.kinds):
        return Outcome(Ending.FAILED, str(error), is_final=True)
    if "OSError" in error.kinds and any(f"[Errno {number}]" in str(error) for number in _FULL):
        return Outcome(Ending.ORDERLY, f"storage failed: {error}", holds_worker=True)
    speaks_for_itself = {"MLModelError", "MemoryError"}.intersection(error.kinds)
    return Outcome(Ending.FAILED, str(error) if speaks_for_itself else f"{error.kind}: {error}")
