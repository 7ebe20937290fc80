"""The event log, checked against the transition table."""

from domain.analyses.models import AnalysisStatus
from domain.analyses.transitions import TRANSITIONS
from tests.chaos.ledger import Ledger, LedgerAwayError

_NUMBERS = "SELECT CAST(owner_id AS TEXT), min(number), max(number), count(*) FROM events GROUP BY owner_id"
_CHANGES = """SELECT CAST(analysis_id AS TEXT), kind FROM events
  WHERE analysis_id IS NOT NULL ORDER BY owner_id, number"""
_PREFIX = "ANALYSIS_"
_DELETED = "DELETED"

_LEGAL = {(str(before), str(target)) for allowed, target in TRANSITIONS.values() for before in allowed}


async def illegal_history(ledger: Ledger) -> list[str] | None:
    """Changes of state that no transition allows, and gaps in the numbers; None if there is no event log."""
    try:
        numbers = await ledger.rows(_NUMBERS)
        changes = await ledger.rows(_CHANGES)
    except LedgerAwayError:
        return None
    problems = [
        f"{count} events numbered {first} to {last}"
        for _, first, last, count in numbers
        if (first, last) != (1, count)
    ]
    present: dict[str, str] = {}
    for analysis_id, kind in changes:
        status, before = str(kind).removeprefix(_PREFIX), present.get(analysis_id)
        if not _is_legal(before, status):
            problems.append(f"{analysis_id} went from {before} to {status}")
        present[analysis_id] = status
    return problems


def _is_legal(before: str | None, status: str) -> bool:
    if before is None:
        return status == AnalysisStatus.QUEUED
    return before != _DELETED and (status == _DELETED or (before, status) in _LEGAL)
