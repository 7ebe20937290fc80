"""The journal of what people did to the register, and what they hold by it.

A change holds the people that it is about and pins all their appearances: nothing that comes later by itself
moves them. They are free again when no change that is not undone holds them; see `Hold`.
"""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID, uuid4

from tortoise.backends.base.client import BaseDBAsyncClient

from domain.people.draft import Cell, Draft
from domain.people.edits import EDITED_FIELDS
from domain.people.models import ChangedPerson, ChangeKind, Hold, Person, PersonChange
from domain.people.register import recount
from domain.sql import BATCH, fetch_rows, in_batches, placeholders, stored_uuid

_HELD = """EXISTS (
    SELECT 1 FROM holds h JOIN person_changes c ON c.id = h.change_id
    WHERE h.subject_id = people.id AND c.undone_by_id IS NULL)"""
# Who held the person that it was of then says nothing about it once it is somebody else's.
_PINNED = """EXISTS (
    SELECT 1 FROM holds h JOIN person_changes c ON c.id = h.change_id
    WHERE h.subject_id = appearances.id AND c.undone_by_id IS NULL AND (
        appearances.person_id IS NULL OR EXISTS (
            SELECT 1 FROM holds p WHERE p.change_id = c.id AND p.subject_id = appearances.person_id)))"""
_WAS_FREE = "EXISTS (SELECT 1 FROM holds h WHERE h.subject_id = appearances.id AND h.was_held = $2)"


async def commit_change(
    draft: Draft,
    user_id: UUID,
    kind: ChangeKind,
    people: Collection[UUID],
    *,
    also_pinned: Iterable[UUID] = (),
) -> PersonChange | None:
    """Write a correction and its entry in the journal; None if there is nothing to change.

    People who have no appearances left by it are removed with the answers about them, unless something is
    known of them that somebody gave: a name, a birth date, a sex.

    Args:
        draft: What it changes.
        user_id: Who corrects.
        kind: What it is.
        people: Everybody it is about; they are held, and all their appearances pinned.
        also_pinned: Appearances of nobody that it decides about.
    """
    for person_id in people:
        if _is_left_empty(draft, person_id):
            draft.remove_person(person_id)
    present = [id_ for id_ in people if draft.people.get(id_) is not None]
    pinned = [*draft.appearances_of(present), *also_pinned]
    cells = draft.cells()
    if not cells and draft.held.issuperset([*present, *pinned]):
        return None
    await draft.write()
    change = await write_entry(draft, user_id, uuid4(), kind, people, cells)
    subjects = [*present, *pinned]
    await Hold.bulk_create(
        [
            Hold(change_id=change.id, subject_id=subject, was_held=subject in draft.held)
            for subject in subjects
        ],
        batch_size=BATCH,
        using_db=draft.connection,
    )
    await renew_holds(draft.connection, subjects, draft.version)
    await recount(draft.connection, draft.owner_id, people)
    return change


def _is_left_empty(draft: Draft, person_id: UUID) -> bool:
    """Whether a change takes the last appearance of somebody of whom nothing is known."""
    if draft.appearances_of([person_id]):
        return False
    if person_id not in draft.held:
        return True
    data = draft.people.get(person_id)
    is_unknown = data is not None and all(data[name] is None for name in EDITED_FIELDS)
    return is_unknown and draft.had_appearances(person_id)


async def write_entry(
    draft: Draft,
    user_id: UUID,
    change_id: UUID,
    kind: ChangeKind,
    people: Collection[UUID],
    cells: Sequence[Cell],
    *,
    undoes_id: UUID | None = None,
) -> PersonChange:
    """Add a change to the journal."""
    change = await PersonChange.create(
        id=change_id,
        owner_id=draft.owner_id,
        number=draft.version,
        kind=kind,
        changed_by_id=user_id,
        cells=list(cells),
        undoes_id=undoes_id,
        using_db=draft.connection,
    )
    await ChangedPerson.bulk_create(
        [ChangedPerson(change_id=change.id, person_id=id_) for id_ in dict.fromkeys(people)],
        using_db=draft.connection,
    )
    return change


async def renew_holds(connection: BaseDBAsyncClient, subjects: Sequence[UUID], version: int) -> None:
    """Hold and pin those whom a change in force holds, and let the others go.

    An appearance that was pinned before anybody held it stays so: it inherited that.
    """
    for ids in in_batches(subjects):
        await fetch_rows(
            f"UPDATE people SET is_held = {_HELD} "  # noqa: S608 - constants
            f"WHERE id IN ({placeholders(len(ids))}) RETURNING id",
            *ids,
            connection=connection,
        )
        await fetch_rows(
            f"UPDATE appearances SET version = $1, is_pinned = ({_PINNED} "  # noqa: S608
            f"OR NOT {_WAS_FREE}) WHERE id IN ({placeholders(len(ids), 3)}) RETURNING id",
            version,
            False,
            *ids,
            connection=connection,
        )


async def let_go(connection: BaseDBAsyncClient, appearance_ids: Sequence[UUID]) -> None:
    """Forget what was once decided about appearances that have moved by themselves since."""
    for ids in in_batches(appearance_ids):
        await Hold.filter(subject_id__in=ids).using_db(connection).delete()


async def subjects_held(connection: BaseDBAsyncClient, subjects: Sequence[UUID]) -> set[UUID]:
    """Those of these people and appearances that a change in force holds."""
    held: set[UUID] = set()
    for ids in in_batches(subjects):
        rows = await fetch_rows(
            "SELECT DISTINCT h.subject_id FROM holds h JOIN person_changes c ON c.id = h.change_id "  # noqa: S608
            f"WHERE c.undone_by_id IS NULL AND h.subject_id IN ({placeholders(len(ids))})",
            *ids,
            connection=connection,
        )
        held.update(stored_uuid(row["subject_id"]) for row in rows)
    return held


async def empty_people(connection: BaseDBAsyncClient, person_ids: Collection[UUID]) -> list[UUID]:
    """Those of these people whom nobody holds and who have no appearances."""
    rows = await fetch_rows(
        "SELECT id FROM people WHERE is_held = $1 AND NOT EXISTS "  # noqa: S608 - constants and placeholders
        "(SELECT 1 FROM appearances a WHERE a.person_id = people.id) "
        f"AND id IN ({placeholders(len(person_ids), 2)})",
        False,
        *person_ids,
        connection=connection,
    )
    return [stored_uuid(row["id"]) for row in rows]


async def person_now(connection: BaseDBAsyncClient, person_id: UUID | None) -> Person | None:
    """A person as the transaction has left it."""
    return None if person_id is None else await Person.get_or_none(id=person_id, using_db=connection)
