"""Deleting people with all that is known of them.

What stays is where they were seen, without a face or an id: what was stored of an analysis does not bring
them back, unless it is asked to; see `ForgottenFace`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from domain.accounts.audit import UNKNOWN_CALLER, AuditEntry, AuditKind, Caller, tell, write_entry
from domain.accounts.audit import Person as Audited
from domain.accounts.models import User
from domain.analyses.files import face_key
from domain.erasure import note_erasure, try_erasure
from domain.errors import NotFoundError
from domain.outages import through_outages
from domain.people.journal_removal import read_journal_of, remove_from_journal, remove_holds
from domain.people.models import Appearance, ForgottenFace, Person, PersonAnswer
from domain.people.register import count_epoch_up, lock_register
from domain.removals import note_removals, try_removals
from domain.sql import BATCH, fetch_rows, in_batches, placeholders, stored_json, stored_uuid
from storage.base import AbstractStorage

_PATIENCE_SECONDS = 10.0

_Row = dict[str, Any]


async def delete_person(
    storage: AbstractStorage,
    owner_id: UUID,
    person_id: UUID,
    *,
    late_write_seconds: float,
    caller: Caller = UNKNOWN_CALLER,
) -> None:
    """Delete a person with all appearances, embeddings, crops, answers and what the journal says of them.

    Args:
        storage: Where the crops are.
        owner_id: Whose register it is.
        person_id: The person.
        late_write_seconds: For so long a worker that has not noticed may still write crops.
        caller: Where the request came from, for the audit log.

    Raises:
        NotFoundError: There is no such person of this account.
    """
    deletion = _Deletion(owner_id, late_write_seconds, caller)
    tries = 0

    async def once() -> list[UUID]:
        nonlocal tries
        tries += 1
        removals = await deletion.delete(person_id)
        # A second try may find nothing because the first one was done and only its answer lost.
        if removals is None and tries == 1:
            raise NotFoundError("There is no Person with this id.", ("id",))
        return removals or []

    removals = await through_outages(once, patience_seconds=_PATIENCE_SECONDS, what="a deletion")
    await try_removals(storage, removals)
    await try_erasure()


async def delete_unseen_person(
    owner_id: UUID, person_id: UUID, *, since: datetime, late_write_seconds: float
) -> bool:
    """Delete a person whom no analysis has found since then; False if one has, or they are gone."""
    return await _Deletion(owner_id, late_write_seconds).delete(person_id, unseen_since=since) is not None


async def delete_rejected(owner_id: UUID, *, before: datetime, late_write_seconds: float) -> int:
    """Delete what was found before then and is nobody's; how many appearances there were."""
    return await _Deletion(owner_id, late_write_seconds).delete_rejected(before)


@dataclass(frozen=True)
class _Deletion:
    owner_id: UUID
    late_write_seconds: float
    caller: Caller = UNKNOWN_CALLER

    async def delete(self, person_id: UUID, *, unseen_since: datetime | None = None) -> list[UUID] | None:
        """Do it in one transaction; the removals of crops that are due then, None if nobody is deleted."""
        async with in_transaction() as connection:
            await lock_register(connection, self.owner_id)
            person = await Person.get_or_none(id=person_id, owner_id=self.owner_id, using_db=connection)
            if person is None or (
                unseen_since is not None and await _is_seen_since(connection, person, unseen_since)
            ):
                return None
            journal = await read_journal_of(connection, self.owner_id, [person_id])
            rows = await self._appearances("person_id = $2", [person_id], connection)
            rejected = journal.rejected()
            for ids in in_batches(rejected):
                condition = f"person_id IS NULL AND a.id IN ({placeholders(len(ids), 2)})"
                rows += await self._appearances(condition, ids, connection)
            removals = await self._delete_appearances(connection, rows)
            await remove_from_journal(connection, self.owner_id, journal)
            for people in in_batches(journal.people):
                for side in ("first_person_id", "second_person_id"):
                    await PersonAnswer.filter(**{f"{side}__in": people}).using_db(connection).delete()
            await Person.filter(id=person_id).using_db(connection).delete()
            entry = await self._audit(connection)
        tell(entry)
        return removals

    async def delete_rejected(self, before: datetime) -> int:
        """Do it in one transaction."""
        async with in_transaction() as connection:
            await lock_register(connection, self.owner_id)
            old = Appearance.filter(owner_id=self.owner_id, person_id=None, created_at__lt=before)
            found = await old.using_db(connection).limit(BATCH).values_list("id", flat=True)
            ids = [stored_uuid(one) for one in found]
            if not ids:
                return 0
            condition = f"a.id IN ({placeholders(len(ids), 2)})"
            await self._delete_appearances(connection, await self._appearances(condition, ids, connection))
        return len(ids)

    async def _appearances(
        self, condition: str, values: Sequence[UUID], connection: BaseDBAsyncClient
    ) -> list[_Row]:
        return await fetch_rows(
            "SELECT a.id, a.analysis_id, a.track_id, a.places, v.sha256 FROM appearances a "  # noqa: S608
            f"JOIN videos v ON v.id = a.video_id WHERE a.owner_id = $1 AND {condition}",
            self.owner_id,
            *values,
            connection=connection,
        )

    async def _delete_appearances(self, connection: BaseDBAsyncClient, rows: Sequence[_Row]) -> list[UUID]:
        await ForgottenFace.bulk_create(
            [
                ForgottenFace(
                    id=uuid4(),
                    owner_id=self.owner_id,
                    video_sha256=row["sha256"],
                    places=stored_json(row["places"]),
                    analysis_id=stored_uuid(row["analysis_id"]),
                    track_id=row["track_id"],
                )
                for row in rows
            ],
            using_db=connection,
        )
        ids = [stored_uuid(row["id"]) for row in rows]
        for part in in_batches(ids):
            await Appearance.filter(id__in=part).using_db(connection).delete()
        await remove_holds(connection, ids)
        await count_epoch_up(connection, self.owner_id)
        await note_erasure(connection)
        crops = [face_key(stored_uuid(row["analysis_id"]), row["track_id"]) for row in rows]
        return await note_removals(connection, crops, late_write_seconds=self.late_write_seconds)

    async def _audit(self, connection: BaseDBAsyncClient) -> AuditEntry:
        """The entry says that somebody was deleted, not who."""
        owner = await User.get_or_none(id=self.owner_id, using_db=connection)
        about = Audited(self.owner_id, "" if owner is None else owner.username)
        return await write_entry(AuditKind.PERSON_DELETED, about, self.caller, connection=connection)


async def _is_seen_since(connection: BaseDBAsyncClient, person: Person, since: datetime) -> bool:
    found = Appearance.filter(person_id=person.id)
    if not await found.using_db(connection).exists():
        return person.updated_at >= since
    return await found.filter(created_at__gte=since).using_db(connection).exists()
