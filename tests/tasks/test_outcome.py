"""What an error means for the piece of work it ended."""

import errno
from uuid import uuid4

import pytest

from domain.leases import Ending, Lease, Patience
from ml_models.errors import MLModelError, WeightsUnavailableError
from storage.errors import (
    FileMissingError,
    InvalidKeyError,
    StorageFullError,
    StorageUnavailableError,
)
from tasks.process.errors import JobError, JobTimedOutError, ProcessDiedError
from tasks.steps.outcome import outcome_of

PATIENCE = Patience(max_attempts=3, max_interruptions=5)


def lease(attempts: int = 1, interruptions: int = 0) -> Lease:
    return Lease("segments", uuid4(), 7, attempts, interruptions)


@pytest.mark.parametrize(
    ("error", "ending", "holds_worker"),
    [
        (ProcessDiedError("crashed with signal 11 (SIGSEGV)"), Ending.FAILED, False),
        (ProcessDiedError("was ended by signal 9", is_interruption=True), Ending.INTERRUPTED, False),
        (JobTimedOutError("timed out after 60 s"), Ending.FAILED, False),
        (JobError("ValueError", ["ValueError", "Exception"], "no"), Ending.FAILED, False),
        (JobError("OSError", ["OSError"], "[Errno 28] No space left on device"), Ending.ORDERLY, True),
        (OSError(errno.ENOSPC, "No space left on device"), Ending.ORDERLY, True),
        (StorageFullError("no room"), Ending.ORDERLY, True),
        (StorageUnavailableError("gone"), Ending.ORDERLY, True),
        (FileMissingError("nothing there"), Ending.FAILED, False),
    ],
)
def test_what_counts_as_whose_fault(error, ending, holds_worker):
    outcome = outcome_of(error)
    assert (outcome.ending, outcome.holds_worker, outcome.is_final) == (ending, holds_worker, False)


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), OSError(errno.EPERM, "no"), InvalidKeyError("../x")]
)
def test_what_nobody_foresaw_counts_as_a_failure_and_is_logged(error, caplog):
    outcome = outcome_of(error)
    assert (outcome.ending, outcome.is_final, outcome.holds_worker) == (Ending.FAILED, False, False)
    assert str(error) not in outcome.reason
    assert str(error) in caplog.text


def test_work_that_the_database_kept_from_going_on_is_given_back():
    outcome = outcome_of(ConnectionResetError("gone"))
    assert (outcome.ending, outcome.holds_worker) == (Ending.ORDERLY, False)


def test_weights_that_find_no_room_wait_for_it():
    error = WeightsUnavailableError("not downloaded")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert outcome_of(error).holds_worker
    assert outcome_of(WeightsUnavailableError("nobody answers")).is_final


def test_a_model_that_cannot_be_had_ends_the_work_at_once():
    outcome = outcome_of(MLModelError("there is no such model"))
    assert outcome.ends_work(lease(), PATIENCE)


def test_what_no_second_try_can_mend_ends_the_work_at_once():
    error = JobError("BrokenFileError", ["BrokenFileError", "MediaError", "Exception"], "It is cut off.")
    outcome = outcome_of(error, frozenset({"MediaError"}))
    assert outcome.ends_work(lease(), PATIENCE)
    assert outcome.told("Segment 2", lease()) == "It is cut off."


def test_failures_end_the_work_after_the_last_attempt_and_say_why():
    outcome = outcome_of(ProcessDiedError("crashed with signal 11 (SIGSEGV)"))
    assert [outcome.ends_work(lease(attempts), PATIENCE) for attempts in (1, 2, 3)] == [False, False, True]
    assert (
        outcome.told("Segment 2", lease(3)) == "Segment 2 failed 3 times: crashed with signal 11 (SIGSEGV)."
    )


def test_interruptions_are_counted_apart():
    outcome = outcome_of(ProcessDiedError("was ended by signal 9 (SIGKILL)", is_interruption=True))
    assert not outcome.ends_work(lease(attempts=3), PATIENCE)
    assert outcome.ends_work(lease(interruptions=4), PATIENCE)
    assert outcome.told("Segment 2", lease(interruptions=4)) == (
        "Segment 2 was interrupted 5 times: was ended by signal 9 (SIGKILL). "
        "This need not be its fault: restart it to go on."
    )


def test_a_reason_that_is_a_sentence_gets_no_second_full_stop():
    outcome = outcome_of(JobError("ModelError", ["ModelError", "MLModelError"], "The lens cap is on."))
    assert outcome.told("Segment 2", lease(3)) == "Segment 2 failed 3 times: The lens cap is on."


def test_a_full_disk_never_ends_the_work():
    outcome = outcome_of(StorageFullError("no room"))
    assert not outcome.ends_work(lease(attempts=99, interruptions=99), PATIENCE)


def test_a_model_speaks_for_itself_and_others_are_named():
    model = outcome_of(JobError("ModelError", ["ModelError", "MLModelError"], "the lens cap is on"))
    other = outcome_of(JobError("ValueError", ["ValueError"], "bad shape"))
    assert (model.reason, other.reason) == ("the lens cap is on", "ValueError: bad shape")
