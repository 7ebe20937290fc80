"""Deleting people whom no analysis has found for long."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.people.deletion import delete_rejected, delete_unseen_person
from domain.sql import fetch_values, stored_uuid

BATCH = 100
"""Most people that are looked for at once."""

_UNSEEN = """
SELECT p.id, p.owner_id FROM people p
WHERE p.created_at < ? AND p.id > ?
  AND NOT EXISTS (SELECT 1 FROM appearances a WHERE a.person_id = p.id AND a.created_at >= ?)
  AND (p.updated_at < ? OR EXISTS (SELECT 1 FROM appearances a WHERE a.person_id = p.id))
ORDER BY p.id LIMIT ?
"""


async def delete_old_people(retention_days: float, *, late_write_seconds: float) -> int:
    """Delete everybody who was in no video that was analysed in the last so many days; how many there were.

    Who has no appearance at all goes so long after the last change. Appearances that were rejected go too.
    Nothing goes if `retention_days` is 0.
    """
    if not retention_days:
        return 0
    since = datetime.now(UTC) - timedelta(days=retention_days)
    count, last = 0, UUID(int=0)
    while rows := await fetch_values(_UNSEEN, since, last, since, since, BATCH):
        for row in rows:
            last, owner_id = stored_uuid(row[0]), stored_uuid(row[1])
            count += await delete_unseen_person(
                owner_id, last, since=since, late_write_seconds=late_write_seconds
            )
    rejected = "SELECT DISTINCT owner_id FROM appearances WHERE person_id IS NULL AND created_at < ?"
    for (owner,) in await fetch_values(rejected, since):
        while await delete_rejected(stored_uuid(owner), before=since, late_write_seconds=late_write_seconds):
            pass
    return count
