"""Whose turn it is: the choice between accounts and kinds of work, before a piece of it is claimed."""

import time
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from domain.sql import fetch_rows


class WorkKind(IntEnum):
    """Kinds of work, in the order in which an account's own work is taken up."""

    PROBE = 0
    ADVANCE = 1
    SEGMENT = 2


@dataclass(frozen=True)
class Turn:
    """An account and a kind of work that waits for it."""

    owner_id: UUID
    kind: WorkKind


BUSY = """
SELECT owner_id, COUNT(*) AS pieces FROM (
    SELECT a.owner_id FROM segments s JOIN analyses a ON a.id = s.analysis_id WHERE s.status = 'RUNNING'
    UNION ALL SELECT owner_id FROM analyses WHERE lease_expires_at IS NOT NULL
    UNION ALL SELECT owner_id FROM videos
      WHERE lease_expires_at IS NOT NULL AND storage_key IS NOT NULL) leased
GROUP BY owner_id
"""
"""Accounts, and how many pieces of work of any kind each has running; fetching files takes no slot."""

_NEXT_TURN = f"""
SELECT work.owner_id, work.kind FROM (
    SELECT owner_id, 0 AS kind FROM videos
      WHERE status = 'PROBING' AND storage_key IS NOT NULL AND lease_expires_at IS NULL
    UNION SELECT a.owner_id, 1 FROM analyses a JOIN videos v ON v.id = a.video_id
      WHERE a.advance_due = $1 AND a.lease_expires_at IS NULL AND a.status IN ('QUEUED', 'RUNNING')
        AND v.status <> 'PROBING'
    UNION SELECT a.owner_id, 2 FROM analyses a WHERE a.status IN ('QUEUED', 'RUNNING')
      AND EXISTS (SELECT 1 FROM segments w WHERE w.analysis_id = a.id AND w.status = 'WAITING')) work
JOIN users u ON u.id = work.owner_id
LEFT JOIN ({BUSY}) busy ON busy.owner_id = work.owner_id
WHERE $2 = 0 OR COALESCE(busy.pieces, 0) < $2
ORDER BY COALESCE(busy.pieces, 0), u.last_served_at, work.kind, u.created_at
LIMIT 1
"""  # noqa: S608 - constants


async def next_turn(max_slots_per_user: int = 0) -> Turn | None:
    """Whose work comes next: the account with the least of it running, of these the one that waited longest.

    So 500 videos of one account delay another's single one by one piece of work, whatever its kind. Several
    workers may get the same answer: the claim that follows decides.

    Args:
        max_slots_per_user: Accounts with so many pieces running have no turn; 0 means no limit.
    """
    rows = await fetch_rows(_NEXT_TURN, True, max_slots_per_user)
    return Turn(UUID(str(rows[0]["owner_id"])), WorkKind(int(rows[0]["kind"]))) if rows else None


async def note_turn(owner_id: UUID) -> None:
    """Note that work of an account was taken up: others come first now."""
    await fetch_rows("UPDATE users SET last_served_at = $1 WHERE id = $2 RETURNING id", time.time(), owner_id)
