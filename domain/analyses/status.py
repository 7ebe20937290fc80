"""Carrying out transitions: a change of status and its event in one transaction."""

import time
from datetime import UTC, datetime
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from domain.analyses.models import Analysis, AnalysisStatus
from domain.analyses.transitions import TRANSITIONS, Action
from domain.events import EventKind, record_event
from domain.sql import fetch_rows


async def apply(
    analysis_id: UUID, action: Action, *, error_message: str | None = None, fence: int | None = None
) -> bool:
    """Do one transition; False when the present status does not allow it, or the fencing token is old."""
    allowed, target = TRANSITIONS[action]
    statuses = ", ".join(f"'{status}'" for status in sorted(allowed))
    async with in_transaction() as connection:
        # Leaving RUNNING stops its clock; in every other status `running_since` is null.
        rows = await fetch_rows(
            "UPDATE analyses SET active_seconds = active_seconds + CASE WHEN running_since < $1 "  # noqa: S608
            "THEN $1 - running_since ELSE 0 END, running_since = NULL "
            f"WHERE id = $2 AND status IN ({statuses}) AND ($3 < 0 OR fence = $3) "
            "RETURNING owner_id, video_id, started_at",
            time.time(),
            analysis_id,
            -1 if fence is None else fence,
            connection=connection,
        )
        if not rows:
            return False
        values = _values(action, target, error_message)
        if action == Action.START and rows[0]["started_at"] is None:
            values["started_at"] = datetime.now(UTC)
        await Analysis.filter(id=analysis_id).using_db(connection).update(**values)
        if action == Action.RESTART:
            await _retry_unfinished_segments(connection, analysis_id)
        await record_event(
            connection,
            UUID(str(rows[0]["owner_id"])),
            EventKind(f"ANALYSIS_{target}"),
            video_id=UUID(str(rows[0]["video_id"])),
            analysis_id=analysis_id,
            message=error_message,
        )
    return True


def _values(action: Action, target: AnalysisStatus, error_message: str | None) -> dict[str, object]:
    values: dict[str, object] = {"status": target}
    if target == AnalysisStatus.RUNNING:
        values["running_since"] = time.time()
    if target.is_final:
        values["finished_at"] = datetime.now(UTC)
    if error_message is not None:
        values["error_message"] = error_message
    if action in (Action.RESUME, Action.RESTART):
        values["advance_due"] = True
    if action == Action.RESTART:
        values |= {
            "error_message": None,
            "finished_at": None,
            "attempts": 0,
            "interruptions": 0,
            "last_failure": None,
        }
    return values


async def _retry_unfinished_segments(connection: BaseDBAsyncClient, analysis_id: UUID) -> None:
    """Finished segments stay as they are; the others may be tried as often as new ones."""
    await fetch_rows(
        "UPDATE segments SET status = 'WAITING', lease_expires_at = NULL, holder = NULL, attempts = 0, "
        "interruptions = 0, last_failure = NULL, frames_done = 0, counts = '{}' "
        "WHERE analysis_id = $1 AND status <> 'DONE' RETURNING id",
        analysis_id,
        connection=connection,
    )


async def fail_analysis(analysis_id: UUID, reason: str) -> bool:
    """End an analysis as FAILED with a reason its owner understands."""
    return await apply(analysis_id, Action.FAIL, error_message=reason)
