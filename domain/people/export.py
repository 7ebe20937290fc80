"""All that is kept of a person, for whoever asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from tortoise.transactions import in_transaction

from domain.accounts.audit import UNKNOWN_CALLER, AuditKind, Caller, tell, write_entry
from domain.accounts.audit import Person as Audited
from domain.accounts.models import User
from domain.analyses.files import face_key
from domain.errors import NotFoundError
from domain.people.edits import DataEdit, read_edits
from domain.people.models import ChangedPerson, ChangeKind, Person, PersonAnswer, PersonChange, PersonExport
from domain.sql import fetch_values, in_batches, stored_flag, stored_moment, stored_uuid

_APPEARANCES = """
SELECT a.id, a.video_id, a.analysis_id, a.track_id, a.first_seconds, a.last_seconds, a.similarity, a.quality,
       a.is_pinned, a.created_at, a.embedding_model, v.title, v.filename, v.recorded_at
FROM appearances a JOIN videos v ON v.id = a.video_id
WHERE a.person_id = ? AND a.owner_id = ? ORDER BY a.created_at, a.id
"""


@dataclass(frozen=True)
class SeenIn:
    """When and where somebody was seen.

    Attributes:
        crop_key: Where the picture is stored.
    """

    id: UUID
    video_id: UUID
    video_title: str
    video_filename: str
    recorded_at: datetime | None
    analysis_id: UUID
    track_id: int
    first_seconds: float
    last_seconds: float
    similarity: float
    quality: float
    is_confirmed: bool
    found_at: datetime
    embedding_model: str
    crop_key: str


@dataclass(frozen=True)
class ChangeOf:
    """What somebody changed of a person."""

    id: UUID
    kind: ChangeKind
    changed_at: datetime
    changed_by: str | None
    edits: Sequence[DataEdit]
    is_undone: bool


@dataclass(frozen=True)
class PersonFile:
    """All that is kept of a person but embeddings.

    Attributes:
        not_same_as: Other people of whom somebody said that they are not this one, and when.
    """

    id: UUID
    full_name: str | None
    birth_date: date | None
    sex: str | None
    created_at: datetime
    updated_at: datetime
    appearances: Sequence[SeenIn]
    changes: Sequence[ChangeOf]
    not_same_as: Sequence[tuple[UUID, datetime]]


async def permit_export(
    owner_id: UUID, person_id: UUID, *, expires_at: datetime, caller: Caller = UNKNOWN_CALLER
) -> UUID:
    """Let all data about a person be fetched until then; the name of this permission, which says nothing.

    It ends with the person, and is written into the audit log without saying who it is.

    Raises:
        NotFoundError: There is no such person of this account.
    """
    async with in_transaction() as connection:
        export = PersonExport(id=uuid4(), person_id=person_id, expires_at=expires_at)
        # Written first: a deletion that comes meanwhile takes it along, or is seen here.
        if (
            not await Person.filter(id=person_id, owner_id=owner_id)
            .using_db(connection)
            .update(owner_id=owner_id)
        ):
            raise NotFoundError("There is no Person with this id.", ("id",))
        await PersonExport.bulk_create([export], using_db=connection)
        owner = await User.get_or_none(id=owner_id, using_db=connection)
        about = Audited(owner_id, "" if owner is None else owner.username)
        entry = await write_entry(AuditKind.PERSON_EXPORTED, about, caller, connection=connection)
    tell(entry)
    return export.id


async def read_permitted(export_id: UUID) -> PersonFile | None:
    """What a permission lets be fetched; None if it has ended."""
    export = await PersonExport.get_or_none(id=export_id, expires_at__gt=datetime.now(UTC))
    person = None if export is None else await Person.get_or_none(id=export.person_id)
    if person is None:
        return None
    owner_id = stored_uuid(person.owner_id)
    return PersonFile(
        id=person.id,
        full_name=person.full_name,
        birth_date=person.birth_date,
        sex=None if person.sex is None else person.sex.value,
        created_at=person.created_at,
        updated_at=person.updated_at,
        appearances=[_seen_in(row) for row in await fetch_values(_APPEARANCES, person.id, owner_id)],
        changes=await _changes(owner_id, person.id),
        not_same_as=await _not_same_as(owner_id, person.id),
    )


async def prune_exports() -> int:
    """Remove permissions that have ended; how many there were."""
    return await PersonExport.filter(expires_at__lt=datetime.now(UTC)).delete()


def _seen_in(row: Sequence[Any]) -> SeenIn:
    analysis_id = stored_uuid(row[2])
    return SeenIn(
        id=stored_uuid(row[0]),
        video_id=stored_uuid(row[1]),
        analysis_id=analysis_id,
        track_id=row[3],
        first_seconds=row[4],
        last_seconds=row[5],
        similarity=row[6],
        quality=row[7],
        is_confirmed=bool(stored_flag(row[8])),
        found_at=stored_moment(row[9]),
        embedding_model=row[10],
        video_title=row[11],
        video_filename=row[12],
        recorded_at=stored_moment(row[13]),
        crop_key=face_key(analysis_id, row[3]),
    )


async def _changes(owner_id: UUID, person_id: UUID) -> list[ChangeOf]:
    about = await ChangedPerson.filter(person_id=person_id).values_list("change_id", flat=True)
    ids = [stored_uuid(one) for one in about]
    found: list[ChangeOf] = []
    for part in in_batches(ids):
        edits = await read_edits(owner_id, part)
        entries = await PersonChange.filter(owner_id=owner_id, id__in=part)
        users = await User.filter(id__in={entry.changed_by_id for entry in entries})
        names = {user.id: user.username for user in users}
        found += [
            ChangeOf(
                id=entry.id,
                kind=entry.kind,
                changed_at=entry.created_at,
                changed_by=names.get(entry.changed_by_id),
                # What a merge changed of others is theirs.
                edits=[edit for edit in edits.get(entry.id, ()) if edit.person_id == person_id],
                is_undone=entry.undone_by_id is not None,
            )
            for entry in entries
        ]
    return sorted(found, key=lambda change: change.changed_at)


async def _not_same_as(owner_id: UUID, person_id: UUID) -> list[tuple[UUID, datetime]]:
    found = []
    for own, other in (("first", "second"), ("second", "first")):
        for answer in await PersonAnswer.filter(owner_id=owner_id, **{f"{own}_person_id": person_id}):
            found.append((stored_uuid(getattr(answer, f"{other}_person_id")), answer.created_at))
    return sorted(found, key=lambda one: one[1])
