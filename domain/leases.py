"""Leases: who works on a row now, for how long, and which late write must be refused."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.sql import fetch_rows


class Leased(Model):
    """A row that one worker at a time works on.

    `fence` counts the claims so far. Whoever claimed writes with the number it got; a write with an older
    number changes nothing, so a worker that was thought dead cannot spoil what its successor did.
    """

    fence = fields.IntField(default=0)
    attempts = fields.IntField(default=0)
    """Claims that did not end in an orderly way, the running one included."""
    lease_expires_at = fields.FloatField(null=True, db_index=True)
    """Seconds since the epoch; null while nobody works on the row."""

    class Meta:
        abstract = True


@dataclass(frozen=True)
class Lease:
    """A claim on one row: its table, its id, and the fencing token."""

    table: str
    id: UUID
    fence: int
    attempts: int

    async def renew(self, lease_seconds: float) -> bool:
        """Extend the lease; False when the row is gone or somebody else claimed it."""
        rows = await fetch_rows(
            f"UPDATE {self.table} SET lease_expires_at = $1 WHERE id = $2 AND fence = $3 "  # noqa: S608
            "AND lease_expires_at IS NOT NULL RETURNING id",
            expiry(lease_seconds),
            self.id,
            self.fence,
        )
        return bool(rows)


def expiry(lease_seconds: float) -> float:
    """When a lease taken now runs out, in seconds since the epoch."""
    return time.time() + lease_seconds


def lease_of(table: str, row: dict[str, Any]) -> Lease:
    """The lease in a row that a claim's RETURNING gave."""
    return Lease(table, UUID(str(row["id"])), int(row["fence"]), int(row["attempts"]))
