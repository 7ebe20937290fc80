"""Keeping the register right while analyses and videos are deleted."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from domain.erasure import note_erasure
from domain.people.journal_removal import read_journal_of, remove_from_journal, remove_holds
from domain.people.models import ChangedPerson
from domain.people.register import count_epoch_up, recount
from domain.sql import fetch_rows, in_batches, is_postgres, placeholders, stored_uuid


@asynccontextmanager
async def appearances_going(
    connection: BaseDBAsyncClient,
    owner_id: UUID,
    *,
    analysis_ids: Sequence[UUID] = (),
    video_ids: Sequence[UUID] = (),
) -> AsyncIterator[None]:
    """Have the block delete these analyses and videos; their appearances go with them.

    People left without any go too, unless somebody has touched them; counts, pictures shown and similarities
    of the others are brought up to date. It must be the transaction's first statement, as `lock_register`.
    """
    if not await _lock(connection, owner_id):
        yield
        return
    going = _Going()
    for column, ids in (("analysis_id", analysis_ids), ("video_id", video_ids)):
        for part in in_batches(ids):
            await going.read(connection, column, part)
    yield
    if not going.appearances:
        return
    removed = await recount(connection, owner_id, going.people)
    await remove_holds(connection, going.appearances)
    remembered = await _with_history(connection, removed)
    if remembered:
        journal = await read_journal_of(connection, owner_id, remembered)
        await remove_from_journal(connection, owner_id, journal)
    await count_epoch_up(connection, owner_id)
    await note_erasure(connection)


@dataclass
class _Going:
    """What is about to go, and of whom."""

    appearances: set[UUID] = field(default_factory=set)
    people: set[UUID] = field(default_factory=set)

    async def read(self, connection: BaseDBAsyncClient, column: str, ids: Sequence[UUID]) -> None:
        rows = await fetch_rows(
            f"SELECT id, person_id FROM appearances WHERE {column} IN ({placeholders(len(ids))})",  # noqa: S608
            *ids,
            connection=connection,
        )
        self.appearances |= {stored_uuid(row["id"]) for row in rows}
        self.people |= {stored_uuid(row["person_id"]) for row in rows if row["person_id"] is not None}


async def lock_if_there(connection: BaseDBAsyncClient, owner_id: UUID) -> bool:
    """Lock the register of an account; False if it has none."""
    count_up = "UPDATE face_registers SET version = version + 1 WHERE owner_id = $1 RETURNING id"
    return bool(await fetch_rows(count_up, owner_id, connection=connection))


async def _lock(connection: BaseDBAsyncClient, owner_id: UUID) -> bool:
    """Lock the register of an account that may be going itself; False if it is gone."""
    if await lock_if_there(connection, owner_id):
        return True
    # As weak as a reference: whoever writes events locks the account's row after all others.
    lock = "FOR KEY SHARE" if is_postgres(connection) else ""
    await fetch_rows(
        "INSERT INTO face_registers (id, owner_id, version, epoch) SELECT id, id, 0, 0 FROM users "  # noqa: S608
        f"WHERE id = $1 {lock} ON CONFLICT DO NOTHING RETURNING id",
        owner_id,
        connection=connection,
    )
    return await lock_if_there(connection, owner_id)


async def _with_history(connection: BaseDBAsyncClient, people: set[UUID]) -> list[UUID]:
    found: set[UUID] = set()
    for part in in_batches(people):
        about = ChangedPerson.filter(person_id__in=part).using_db(connection)
        found |= {stored_uuid(one) for one in await about.values_list("person_id", flat=True)}
    return list(found)
