"""The event log: every change of state as a durable, numbered row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from tortoise import fields
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.functions import Max
from tortoise.models import Model

from domain.errors import ConflictError
from domain.pages import Order, Rows, read_page
from domain.sql import fetch_rows


class EventKind(StrEnum):
    """What happened."""

    VIDEO_UPLOADED = "VIDEO_UPLOADED"
    VIDEO_READY = "VIDEO_READY"
    VIDEO_REJECTED = "VIDEO_REJECTED"
    VIDEO_DELETED = "VIDEO_DELETED"
    ANALYSIS_QUEUED = "ANALYSIS_QUEUED"
    ANALYSIS_RUNNING = "ANALYSIS_RUNNING"
    ANALYSIS_PAUSED = "ANALYSIS_PAUSED"
    ANALYSIS_SUCCEEDED = "ANALYSIS_SUCCEEDED"
    ANALYSIS_FAILED = "ANALYSIS_FAILED"
    ANALYSIS_CANCELLED = "ANALYSIS_CANCELLED"
    ANALYSIS_DELETED = "ANALYSIS_DELETED"


class Event(Model):
    """One change of state. An account's events are numbered from 1 without gaps, in the order of commits."""

    id = fields.UUIDField(primary_key=True)
    owner: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.User", related_name="events", on_delete=fields.CASCADE
    )
    owner_id: fields.UUIDField  # type: ignore[type-arg]
    number = fields.BigIntField()
    kind = fields.CharEnumField(EventKind, max_length=32)
    video_id = fields.UUIDField(null=True)
    """No foreign key: events outlive what they tell of."""
    analysis_id = fields.UUIDField(null=True)
    message = fields.TextField(null=True)
    """The reason, where there is one."""
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "events"
        unique_together = (("owner_id", "number"),)
        indexes = (("created_at",),)


async def record_event(
    connection: BaseDBAsyncClient,
    owner_id: UUID,
    kind: EventKind,
    *,
    video_id: UUID | None = None,
    analysis_id: UUID | None = None,
    message: str | None = None,
) -> None:
    """Write an event in the transaction that makes the change; do it last in there.

    Counting up locks the account's row until the commit, so numbers become visible in their order and a
    reader that has seen number n has seen all before it. Last, because whoever waits for that lock must hold
    no row that its owner still needs.
    """
    rows = await fetch_rows(
        "UPDATE users SET event_count = event_count + 1 WHERE id = $1 RETURNING event_count",
        owner_id,
        connection=connection,
    )
    if not rows:
        return
    await Event.create(
        id=uuid4(),
        owner_id=owner_id,
        number=int(rows[0]["event_count"]),
        kind=kind,
        video_id=video_id,
        analysis_id=analysis_id,
        message=message,
        using_db=connection,
    )


@dataclass(frozen=True)
class EventSpan:
    """The numbers of an account's events that can be read: none if `newest` is below `oldest`."""

    oldest: int
    newest: int


class EventsUnavailableError(ConflictError):
    """Raised when the log does not reach from where a reader is; it has to read the present state instead."""

    def __init__(self, message: str, span: EventSpan) -> None:
        super().__init__(message, ("after",))
        self.span = span


async def read_events(owner_id: UUID, after: int | None, limit: int) -> Sequence[Event]:
    """Up to `limit` events of an account in order, the first of them number `after` + 1.

    Without `after` they begin with the oldest that is left.

    Raises:
        EventsUnavailableError: Events after `after` are no longer kept, or there is no event `after` yet.
    """
    query = Event.filter(owner_id=owner_id).order_by("number").limit(limit)
    if after is None:
        return await query
    events = await query.filter(number__gt=after)
    if not events or events[0].number != after + 1:
        await _require_reach(owner_id, after)
    return events


async def read_event_values(
    rows: Rows, owner_id: UUID, after: int | None, limit: int
) -> Sequence[Sequence[Any]]:
    """As `read_events`, but as values; the first that `rows` reads must be the number."""
    wanted = rows.of_owner(owner_id)
    if after is not None:
        wanted = wanted.where("number > ?", after)
    events = await read_page(wanted, Order("number"), None, limit)
    if after is not None and (not events or events[0][0] != after + 1):
        await _require_reach(owner_id, after)
    return events


async def _require_reach(owner_id: UUID, after: int) -> None:
    span = await event_span(owner_id)
    if span is None or span.oldest - 1 <= after <= span.newest:
        return
    if after > span.newest:
        missing = f"There is no event {after}: your newest is {span.newest}"
        go_on = f"If this is the right account, a backup of it was restored. {_how_to_go_on(span.newest)}"
    else:
        missing = f"Your events before number {span.oldest} are no longer kept"
        go_on = _how_to_go_on(span.oldest - 1)
    raise EventsUnavailableError(f"{missing}. {go_on}", span)


def _how_to_go_on(after: int) -> str:
    return f'Read the present state, then go on with `after: "{after}"`.'


async def event_span(owner_id: UUID) -> EventSpan | None:
    """Which events of an account can be read; None if there is no such account."""
    rows = await fetch_rows(
        "SELECT event_count, (SELECT min(number) FROM events WHERE owner_id = users.id) AS oldest "
        "FROM users WHERE id = $1",
        owner_id,
    )
    if not rows:
        return None
    newest, oldest = int(rows[0]["event_count"]), rows[0]["oldest"]
    return EventSpan(newest + 1 if oldest is None else int(oldest), newest)


async def newest_numbers(owner_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The number of the newest event of each of these accounts that exists; 0 before the first."""
    places = ", ".join(f"${place}" for place in range(1, len(owner_ids) + 1))
    rows = await fetch_rows(f"SELECT id, event_count FROM users WHERE id IN ({places})", *owner_ids)  # noqa: S608
    return {UUID(str(row["id"])): int(row["event_count"]) for row in rows}


async def prune_events(retention_days: float) -> int:
    """Remove older events; how many there were."""
    limit = datetime.now(UTC) - timedelta(days=retention_days)
    outdated = Event.filter(created_at__lt=limit).annotate(last=Max("number")).group_by("owner_id")
    pruned = 0
    for row in await outdated.values("owner_id", "last"):
        # By number, not by time: the clocks of two machines may disagree, and what is left must have no gap.
        pruned += await Event.filter(owner_id=row["owner_id"], number__lte=row["last"]).delete()
    return pruned
