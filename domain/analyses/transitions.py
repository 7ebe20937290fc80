"""The one place that says which status may follow which."""

from enum import StrEnum

from domain.analyses.models import AnalysisStatus as Status


class Action(StrEnum):
    """What a person or the work itself can do to an analysis."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RESTART = "restart"
    SUCCEED = "succeed"
    FAIL = "fail"


TRANSITIONS: dict[Action, tuple[frozenset[Status], Status]] = {
    Action.START: (frozenset({Status.QUEUED}), Status.RUNNING),
    Action.PAUSE: (frozenset({Status.QUEUED, Status.RUNNING}), Status.PAUSED),
    Action.RESUME: (frozenset({Status.PAUSED}), Status.QUEUED),
    Action.CANCEL: (frozenset({Status.QUEUED, Status.RUNNING, Status.PAUSED}), Status.CANCELLED),
    Action.RESTART: (frozenset({Status.FAILED, Status.CANCELLED}), Status.QUEUED),
    Action.SUCCEED: (frozenset({Status.RUNNING}), Status.SUCCEEDED),
    Action.FAIL: (frozenset({Status.QUEUED, Status.RUNNING, Status.PAUSED}), Status.FAILED),
}
"""Action → the statuses it may be done from, and the status it leads to."""

ALREADY_DONE: dict[Action, frozenset[Status]] = {
    Action.PAUSE: frozenset({Status.PAUSED}),
    Action.RESUME: frozenset({Status.QUEUED, Status.RUNNING}),
    Action.CANCEL: frozenset({Status.CANCELLED}),
    Action.RESTART: frozenset({Status.QUEUED, Status.RUNNING}),
}
"""Statuses in which a person's action has nothing to do and is no mistake."""
