"""The audit log: who signed in from where, and what was deleted.

Each entry is a row and a line in the server's log. An entry of a step that has a transaction is written in it
with `write_entry`, and told to the log with `tell` when the transaction is done; `record` does both.
"""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID, uuid4

from tortoise import fields
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.models import Model
from tortoise.queryset import QuerySet

from domain.accounts.models import User
from domain.text import is_storable

log = logging.getLogger("framewise.audit")


class AuditKind(StrEnum):
    """What happened."""

    SIGNED_UP = "SIGNED_UP"
    SIGNED_IN = "SIGNED_IN"
    SIGN_IN_FAILED = "SIGN_IN_FAILED"
    LOCKED_OUT = "LOCKED_OUT"
    SIGNED_OUT = "SIGNED_OUT"
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105 - no password
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 - no password
    VIDEO_DELETED = "VIDEO_DELETED"
    ANALYSIS_DELETED = "ANALYSIS_DELETED"
    ACCOUNT_DELETED = "ACCOUNT_DELETED"
    ML_MODEL_UPLOADED = "ML_MODEL_UPLOADED"
    ML_MODEL_DELETED = "ML_MODEL_DELETED"
    PERSON_EXPORTED = "PERSON_EXPORTED"
    PERSON_DELETED = "PERSON_DELETED"


class AuditEntry(Model):
    """One step that matters for security. It outlives the account it tells of."""

    id = fields.UUIDField(primary_key=True)
    kind = fields.CharEnumField(AuditKind, max_length=32)
    user_id = fields.UUIDField(null=True)
    """No foreign key: entries outlive accounts. Null where no account has the username."""
    username = fields.CharField(max_length=64)
    """As it was given."""
    address = fields.CharField(max_length=64, null=True)
    """Where the request came from."""
    user_agent = fields.CharField(max_length=255, null=True)
    subject_id = fields.UUIDField(null=True)
    """What was deleted."""
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "audit_entries"
        indexes = (("user_id", "created_at"), ("created_at",))


@dataclass(frozen=True)
class Caller:
    """Where a request came from, as far as it is known."""

    address: str | None = None
    user_agent: str | None = None


UNKNOWN_CALLER = Caller()


@dataclass(frozen=True)
class Person:
    """Whom an entry is about; `user_id` is None where no account has the username."""

    user_id: UUID | None
    username: str

    @classmethod
    def of(cls, user: User) -> Self:
        """Whose account this is."""
        return cls(user.id, user.username)


async def write_entry(
    kind: AuditKind,
    person: Person,
    caller: Caller = UNKNOWN_CALLER,
    *,
    subject_id: UUID | None = None,
    connection: BaseDBAsyncClient | None = None,
) -> AuditEntry:
    """Write an entry, in the transaction of `connection` if there is one; `tell` the log afterwards."""
    return await AuditEntry.create(
        using_db=connection,
        id=uuid4(),
        kind=kind,
        user_id=person.user_id,
        username=_fitting(person.username, 64) or "",
        address=_fitting(caller.address, 64),
        user_agent=_fitting(caller.user_agent, 255),
        subject_id=subject_id,
    )


def tell(entry: AuditEntry) -> None:
    """Say an entry in the log: one line of JSON in ASCII, so that no text in it can look like a line.

    What was given as the name of no account is left out: people type passwords there.
    """
    told = {
        "kind": entry.kind.value,
        "user_id": entry.user_id,
        "username": entry.username if entry.user_id is not None else None,
        "address": entry.address,
        "user_agent": entry.user_agent,
        "subject_id": entry.subject_id,
    }
    given = {name: str(value) for name, value in told.items() if value is not None}
    log.info("audit %s", json.dumps(given))


async def record(
    kind: AuditKind,
    person: Person,
    caller: Caller = UNKNOWN_CALLER,
    *,
    subject_id: UUID | None = None,
) -> None:
    """Write an entry of a step without a transaction, and tell the log."""
    tell(await write_entry(kind, person, caller, subject_id=subject_id))


def entries_about(user_id: UUID) -> QuerySet[AuditEntry]:
    """The entries about one account."""
    return AuditEntry.filter(user_id=user_id)


async def prune_audit(retention_days: float) -> int:
    """Remove older entries; how many there were."""
    limit = datetime.now(UTC) - timedelta(days=retention_days)
    return await AuditEntry.filter(created_at__lt=limit).delete()


def _fitting(text: str | None, length: int) -> str | None:
    """The beginning of a text that fits into its column."""
    if text is None:
        return None
    return text[:length] if is_storable(text) else ascii(text)[1:-1][:length]
