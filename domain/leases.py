"""Leases: who works on a row now, for how long, and which late write must be refused."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.sql import fetch_rows

VANISHED = "its worker vanished"
"""The reason of a claim whose lease ran out."""


class Ending(StrEnum):
    """How a claim ended that was no success."""

    ORDERLY = "orderly"
    """Given back: paused, or the worker was asked to stop. It counts as nothing."""
    FAILED = "failed"
    """By the work's own fault, as far as can be told: a crash, an error, too much time or memory."""
    INTERRUPTED = "interrupted"
    """From outside: its worker vanished, or its process was killed."""


class Leased(Model):
    """A row that one worker at a time works on.

    `fence` counts the claims so far. Whoever claimed writes with the number it got; a write with an older
    number changes nothing, so a worker that was thought dead cannot spoil what its successor did.
    """

    fence = fields.IntField(default=0)
    attempts = fields.IntField(default=0)
    """Claims that failed, the running one included."""
    interruptions = fields.IntField(default=0)
    """Claims whose worker or process vanished through no fault of the work, as far as can be told."""
    last_failure = fields.TextField(null=True)
    """Why the last claim that was no success ended."""
    holder = fields.CharField(max_length=128, null=True)
    """The process that holds the lease; see `domain.holders`."""
    lease_expires_at = fields.FloatField(null=True, db_index=True)
    """Seconds since the epoch; null while nobody works on the row."""

    class Meta:
        abstract = True


@dataclass(frozen=True)
class Patience:
    """How often a piece of work is tried before it is given up."""

    max_attempts: int
    max_interruptions: int


@dataclass(frozen=True)
class Lease:
    """A claim on one row: its table, its id, the fencing token, and how claims on it ended so far."""

    table: str
    id: UUID
    fence: int
    attempts: int
    interruptions: int = 0

    def is_hopeless(self, ending: Ending, patience: Patience) -> bool:
        """Whether the work is to be given up when this claim ends so."""
        if ending is Ending.FAILED:
            return self.attempts >= patience.max_attempts
        return ending is Ending.INTERRUPTED and self.interruptions + 1 >= patience.max_interruptions

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
    return Lease(
        table,
        UUID(str(row["id"])),
        int(row["fence"]),
        int(row["attempts"]),
        int(row["interruptions"]),
    )
