"""Freeing what silent or dead workers held."""

import time
from collections.abc import Iterable
from uuid import UUID

from domain.holders import is_dead
from domain.leases import VANISHED, Patience
from domain.sql import fetch_rows

_LEASED = ("segments", "analyses", "videos")


async def expire_dead_leases() -> int:
    """End the leases of processes of this machine that are known to be dead; how many holders there were.

    A worker that was killed need not run out of its lease: its successor takes over at once.
    """
    holders = await _holders()
    dead = [holder for holder in holders if is_dead(holder)]
    for holder in dead:
        for table in _LEASED:
            await fetch_rows(
                f"UPDATE {table} SET lease_expires_at = 0 WHERE holder = $1 "  # noqa: S608 - a constant
                "AND lease_expires_at IS NOT NULL RETURNING id",
                holder,
            )
        await fetch_rows("DELETE FROM duties WHERE holder = $1 RETURNING name", holder)
    return len(dead)


async def _holders() -> Iterable[str]:
    leased = " UNION ".join(
        f"SELECT holder FROM {table} WHERE lease_expires_at IS NOT NULL"  # noqa: S608 - constants
        for table in _LEASED
    )
    rows = await fetch_rows(f"{leased} UNION SELECT holder FROM duties")  # noqa: S608
    return [str(row["holder"]) for row in rows if row["holder"]]


async def sweep_expired(patience: Patience) -> list[UUID]:
    """Make work claimable again whose lease ran out; give the analyses that were interrupted too often.

    Running out is an interruption: pixels live in processes of their own, so a worker does not die of its
    work, as far as can be told.
    """
    now = time.time()
    exhausted = await fetch_rows(
        "SELECT analysis_id AS id FROM segments WHERE status = 'RUNNING' AND lease_expires_at < $1 "
        "AND interruptions + 1 >= $2 UNION "
        "SELECT id FROM analyses WHERE lease_expires_at < $1 AND interruptions + 1 >= $2",
        now,
        patience.max_interruptions,
    )
    freed = (
        "lease_expires_at = NULL, holder = NULL, attempts = attempts - 1, interruptions = interruptions + 1, "
        f"last_failure = '{VANISHED}'"
    )
    await fetch_rows(
        f"UPDATE segments SET {freed}, status = 'WAITING', frames_done = 0, counts = '{{}}' "  # noqa: S608
        "WHERE status = 'RUNNING' AND lease_expires_at < $1 RETURNING id",
        now,
    )
    await fetch_rows(
        f"UPDATE analyses SET {freed}, advance_due = $2 WHERE lease_expires_at < $1 RETURNING id",  # noqa: S608
        now,
        True,
    )
    return [UUID(str(row["id"])) for row in exhausted]
