"""Taking somebody out of the journal of the register."""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from domain.people.draft import APPEARANCES, PEOPLE, WHOLE_ROW, Cell
from domain.people.models import ChangedPerson, Hold, Person, PersonChange
from domain.sql import fetch_rows, in_batches, stored_uuid


@dataclass
class JournalOf:
    """What the journal has about somebody.

    Attributes:
        people: Them, and all who became one with them.
        entries: The changes about these.
        about: Whom each of the changes is about.
    """

    people: set[UUID]
    entries: dict[UUID, PersonChange] = field(default_factory=dict)
    about: dict[UUID, set[UUID]] = field(default_factory=dict)

    def rejected(self) -> list[UUID]:
        """Appearances of theirs that were said to be no face, at some time."""
        texts = {str(one) for one in self.people}
        return [
            UUID(cell["id"])
            for entry in self.entries.values()
            for cell in entry.cells
            if cell["table"] == APPEARANCES and cell["after"] is None and cell["before"] in texts
        ]


async def read_journal_of(
    connection: BaseDBAsyncClient, owner_id: UUID, person_ids: Collection[UUID]
) -> JournalOf:
    """All that the journal has about these people, also under the ids of those who were merged into them."""
    journal = JournalOf(set(person_ids))
    read: set[UUID] = set()
    while news := journal.people - read:
        read |= news
        entries = await _entries_about(connection, owner_id, news)
        journal.entries |= {entry.id: entry for entry in entries if entry.id not in journal.entries}
        await _read_about(connection, journal)
        ended = {one for entry in journal.entries.values() for one in _absorbed(entry, journal)}
        journal.people |= ended - await _present(connection, ended - journal.people)
    return journal


async def remove_from_journal(connection: BaseDBAsyncClient, owner_id: UUID, journal: JournalOf) -> None:
    """Remove these people from the journal, without a trace.

    A change that is about others as well stays for what they are held by, but says nothing any more, and
    undoing it puts nothing back.
    """
    for entry in journal.entries.values():
        if journal.about[entry.id] <= journal.people:
            await PersonChange.filter(id=entry.id).using_db(connection).delete()
        else:
            await _write_cells(connection, entry.id, [])
    for people in in_batches(journal.people):
        await ChangedPerson.filter(person_id__in=people).using_db(connection).delete()
        await Hold.filter(subject_id__in=people).using_db(connection).delete()
    for person_id in journal.people:
        # Changes about others name them too, where an answer about them moved on with a merge.
        for entry in await _naming(connection, owner_id, person_id):
            cells = [cell for cell in entry.cells if not _names(cell, str(person_id))]
            await _write_cells(connection, entry.id, cells)


async def remove_holds(connection: BaseDBAsyncClient, appearance_ids: Collection[UUID]) -> None:
    """Forget that somebody decided about appearances that are gone."""
    for ids in in_batches(appearance_ids):
        await Hold.filter(subject_id__in=ids).using_db(connection).delete()


def _absorbed(entry: PersonChange, journal: JournalOf) -> set[UUID]:
    """Who ended by a change and left all they had to those of whom this is the journal."""
    ended = {
        UUID(cell["id"])
        for cell in entry.cells
        if cell["table"] == PEOPLE and cell["field"] == WHOLE_ROW and cell["after"] is None
    }
    heirs = journal.about[entry.id] - ended
    return ended if heirs and heirs <= journal.people else set()


async def _entries_about(
    connection: BaseDBAsyncClient, owner_id: UUID, person_ids: Collection[UUID]
) -> list[PersonChange]:
    found: list[PersonChange] = []
    for ids in in_batches(person_ids):
        about = ChangedPerson.filter(person_id__in=ids).using_db(connection)
        changes = list({stored_uuid(one) for one in await about.values_list("change_id", flat=True)})
        for part in in_batches(changes):
            found += await PersonChange.filter(owner_id=owner_id, id__in=part).using_db(connection)
    return found


async def _read_about(connection: BaseDBAsyncClient, journal: JournalOf) -> None:
    for ids in in_batches([id_ for id_ in journal.entries if id_ not in journal.about]):
        journal.about |= {id_: set() for id_ in ids}
        for one in await ChangedPerson.filter(change_id__in=ids).using_db(connection):
            journal.about[stored_uuid(one.change_id)].add(stored_uuid(one.person_id))


async def _present(connection: BaseDBAsyncClient, person_ids: Collection[UUID]) -> set[UUID]:
    found: set[UUID] = set()
    for ids in in_batches(person_ids):
        there = await Person.filter(id__in=ids).using_db(connection).values_list("id", flat=True)
        found |= {stored_uuid(one) for one in there}
    return found


async def _naming(connection: BaseDBAsyncClient, owner_id: UUID, person_id: UUID) -> list[PersonChange]:
    rows = await fetch_rows(
        "SELECT id FROM person_changes WHERE owner_id = $1 AND CAST(cells AS TEXT) LIKE $2",
        owner_id,
        f"%{person_id}%",
        connection=connection,
    )
    ids = [stored_uuid(row["id"]) for row in rows]
    return [
        entry
        for part in in_batches(ids)
        for entry in await PersonChange.filter(id__in=part).using_db(connection)
    ]


def _names(cell: Cell, person_id: str) -> bool:
    values = (cell["before"], cell["after"])
    return cell["id"] == person_id or any(
        value == person_id or (isinstance(value, list) and person_id in value) for value in values
    )


async def _write_cells(connection: BaseDBAsyncClient, change_id: UUID, cells: list[Cell]) -> None:
    await PersonChange.filter(id=change_id).using_db(connection).update(cells=cells)
