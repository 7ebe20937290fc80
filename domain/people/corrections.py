"""What people correct in the register: each correction is written down and can be undone."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

from tortoise.transactions import in_transaction

from domain.errors import ConflictError, InvalidError
from domain.people.draft import DATA_FIELDS, Draft, pair_of
from domain.people.journal import commit_change, person_now
from domain.people.models import ChangedPerson, ChangeKind, Person, PersonChange
from domain.people.personal_data import PersonalData, check_birth_date, clean_person_name
from domain.people.register import lock_register
from domain.people.undoing import undo
from domain.sql import fetch_rows, in_batches, placeholders, stored_moment

MOST_MERGED = 1000
"""People that one merge joins."""


@dataclass(frozen=True)
class Correction:
    """What a correction did.

    Attributes:
        person: The person as it is now; None where it is gone (all of its appearances were taken from it).
        change_id: For `undo_person_change`; None where nothing had to be changed.
    """

    person: Person | None
    change_id: UUID | None


async def update_person(owner_id: UUID, user_id: UUID, person_id: UUID, data: PersonalData) -> Correction:
    """Change what is kept of a person: what is absent in `data` stays, None clears.

    Raises:
        InvalidError: A value breaks a rule of `domain.people.personal_data`.
        NotFoundError: There is no such person of this account.
    """
    cleaned = dict(data)
    name, born, sex = data.get("full_name"), data.get("birth_date"), data.get("sex")
    if name is not None:
        cleaned["full_name"] = clean_person_name(name)
    if born is not None:
        check_birth_date(born, None)
        cleaned["birth_date"] = born.isoformat()
    if sex is not None:
        cleaned["sex"] = sex.value
    async with _draft(owner_id) as draft:
        person = await draft.get_person(person_id, ("id",))
        if born is not None:
            check_birth_date(born, await _first_recorded(draft, "person_id", [person_id]))
        person.update(cleaned)
        if not draft.cells():
            return Correction(await person_now(draft.connection, person_id), None)
        return await _commit(draft, user_id, ChangeKind.EDITED, [person_id], person_id)


async def merge_people(
    owner_id: UUID, user_id: UUID, person_ids: Sequence[UUID], into_id: UUID
) -> Correction:
    """Make several persons one: `into_id`, which keeps what it has and takes over what it lacks.

    Raises:
        ConflictError: They are in a video that was recorded before the birth date.
        InvalidError: There is nobody to merge, or too many.
        NotFoundError: One of them is no person of this account.
    """
    others = [id_ for id_ in dict.fromkeys(person_ids) if id_ != into_id]
    if not others:
        raise InvalidError("Name at least one other person to merge.", ("ids",))
    if len(others) > MOST_MERGED:
        raise InvalidError(f"At most {MOST_MERGED} people can be merged at once.", ("ids",))
    async with _draft(owner_id) as draft:
        await draft.get_person(into_id, ("into",))
        await draft.load_people(others)
        for place, id_ in enumerate(person_ids):
            await draft.get_person(id_, ("ids", place))
        return await _merge(draft, user_id, others, into_id, ("into",))


async def split_person(
    owner_id: UUID, user_id: UUID, person_id: UUID, appearance_ids: Sequence[UUID]
) -> Correction:
    """Make some appearances of a person a new person, which is the answer's.

    Raises:
        InvalidError: None is named, all are, or one is not of this person.
        NotFoundError: There is no such person or appearance of this account.
    """
    if not appearance_ids:
        raise InvalidError("Name at least one appearance.", ("appearance_ids",))
    async with _draft(owner_id) as draft:
        await draft.get_person(person_id, ("id",))
        for place, id_ in enumerate(appearance_ids):
            path = ("appearance_ids", place)
            if await draft.get_owner(id_, path) != person_id:
                raise InvalidError("This appearance is not of this person.", path)
        if len(set(appearance_ids)) == len(draft.appearances_of([person_id])):
            raise InvalidError("At least one appearance must stay with the person.", ("appearance_ids",))
        new_id = uuid4()
        created_at = datetime.now(UTC).isoformat()
        draft.people[new_id] = {**dict.fromkeys(DATA_FIELDS), "created_at": created_at}
        draft.owners.update(dict.fromkeys(appearance_ids, new_id))
        # Or they would be suggested to be the same at once.
        draft.answers[uuid4()] = pair_of(person_id, new_id)
        return await _commit(draft, user_id, ChangeKind.SPLIT, [person_id, new_id], new_id)


async def move_appearance(owner_id: UUID, user_id: UUID, appearance_id: UUID, person_id: UUID) -> Correction:
    """Say whose an appearance is; also takes back a rejection.

    Raises:
        ConflictError: Its video was recorded before the person's birth date.
        NotFoundError: There is no such person or appearance of this account.
    """
    async with _draft(owner_id) as draft:
        before = await draft.get_owner(appearance_id, ("id",))
        person = await draft.get_person(person_id, ("person_id",))
        if before != person_id:
            await _refuse_unborn(draft, person["birth_date"], "id", [appearance_id], ("person_id",))
        draft.owners[appearance_id] = person_id
        people = [person_id] if before is None else [person_id, before]
        return await _commit(draft, user_id, ChangeKind.MOVED, list(dict.fromkeys(people)), person_id)


async def reject_appearance(owner_id: UUID, user_id: UUID, appearance_id: UUID) -> Correction:
    """Say that an appearance is no face; the answer's person is the one it was of.

    Raises:
        NotFoundError: There is no such appearance of this account.
    """
    async with _draft(owner_id) as draft:
        before = await draft.get_owner(appearance_id, ("id",))
        draft.owners[appearance_id] = None
        people = [] if before is None else [before]
        return await _commit(draft, user_id, ChangeKind.REJECTED, people, before, also_pinned=[appearance_id])


async def choose_profile_photo(
    owner_id: UUID, user_id: UUID, person_id: UUID, appearance_id: UUID
) -> Correction:
    """Choose the appearance whose crop is shown for a person.

    Raises:
        InvalidError: It is not of this person.
        NotFoundError: There is no such person or appearance of this account.
    """
    async with _draft(owner_id) as draft:
        person = await draft.get_person(person_id, ("person_id",))
        if await draft.get_owner(appearance_id, ("appearance_id",)) != person_id:
            raise InvalidError("This appearance is not of this person.", ("appearance_id",))
        person["profile_appearance_id"] = str(appearance_id)
        return await _commit(draft, user_id, ChangeKind.PROFILE_CHOSEN, [person_id], person_id)


async def answer_same_person(
    owner_id: UUID, user_id: UUID, first_id: UUID, second_id: UUID, *, is_same: bool
) -> Correction:
    """Say whether two persons are the same one: the first then, or never joined or suggested again.

    Raises:
        ConflictError: The second is in a video that was recorded before the birth date.
        InvalidError: Both are one already.
        NotFoundError: One of them is no person of this account.
    """
    if first_id == second_id:
        raise InvalidError("Name two different people.", ("second_id",))
    async with _draft(owner_id) as draft:
        await draft.get_person(first_id, ("first_id",))
        await draft.get_person(second_id, ("second_id",))
        if is_same:
            return await _merge(draft, user_id, [second_id], first_id, ("first_id",))
        if not draft.is_answered(first_id, second_id):
            draft.answers[uuid4()] = pair_of(first_id, second_id)
        return await _commit(draft, user_id, ChangeKind.ANSWERED, [first_id, second_id], first_id)


async def undo_person_change(owner_id: UUID, user_id: UUID, change_id: UUID) -> Correction:
    """Put back what a change changed; this is a change itself, and can be undone.

    The answer's person is the first that the change is about and that is there.

    Raises:
        NotFoundError: There is no such change of this account.
        ConflictError: It is undone already, or a later change wrote the same and must be undone first; it
            is named.
    """
    async with _draft(owner_id) as draft:
        entry = await undo(draft, user_id, change_id)
        about = await ChangedPerson.filter(change_id=entry.id).using_db(draft.connection).order_by("id")
        present = next((one.person_id for one in about if draft.people.get(one.person_id) is not None), None)
        return Correction(await person_now(draft.connection, present), entry.id)


@asynccontextmanager
async def _draft(owner_id: UUID) -> AsyncIterator[Draft]:
    async with in_transaction() as connection:
        state = await lock_register(connection, owner_id)
        yield Draft(connection, owner_id, state.version)


async def _commit(
    draft: Draft,
    user_id: UUID,
    kind: ChangeKind,
    people: Sequence[UUID],
    person_id: UUID | None,
    *,
    also_pinned: Sequence[UUID] = (),
) -> Correction:
    change: PersonChange | None = await commit_change(draft, user_id, kind, people, also_pinned=also_pinned)
    person = await person_now(draft.connection, person_id)
    return Correction(person, None if change is None else change.id)


async def _merge(
    draft: Draft, user_id: UUID, others: Sequence[UUID], into_id: UUID, path: Sequence[str]
) -> Correction:
    into = draft.people[into_id]
    assert into is not None  # noqa: S101 - the callers have looked it up
    had_date = into["birth_date"] is not None
    for id_ in others:
        data = draft.people[id_] or {}
        for name in DATA_FIELDS:
            into[name] = into[name] if into[name] is not None else data.get(name)
        draft.people[id_] = None
    coming = others if had_date else [into_id, *others]
    await _refuse_unborn(draft, into["birth_date"], "person_id", coming, path)
    for id_ in draft.appearances_of(others):
        draft.owners[id_] = into_id
    gone = set(others)
    for answer_id, pair in list(draft.answers.items()):
        if pair is None or gone.isdisjoint(pair):
            continue
        draft.answers[answer_id] = None
        one, other = (into_id if id_ in gone else id_ for id_ in pair)
        if one != other and not draft.is_answered(one, other):
            draft.answers[uuid4()] = pair_of(one, other)
    return await _commit(draft, user_id, ChangeKind.MERGED, [into_id, *others], into_id)


async def _refuse_unborn(
    draft: Draft, born: str | None, column: str, ids: Sequence[UUID], path: Sequence[str]
) -> None:
    """Refuse appearances for somebody who was born after one of them was recorded."""
    recorded_on = None if born is None else await _first_recorded(draft, column, ids)
    if born is not None and recorded_on is not None and date.fromisoformat(born) > recorded_on:
        raise ConflictError(
            f"The birth date {born} is after {recorded_on}, when a video was recorded that shows the face. "
            "If the birth date is wrong, change it first.",
            path,
        )


async def _first_recorded(draft: Draft, column: str, ids: Sequence[UUID]) -> date | None:
    """When the first video was recorded that shows one of these people or appearances, where it is known."""
    found = []
    for part in in_batches(ids):
        rows = await fetch_rows(
            "SELECT v.recorded_at FROM videos v WHERE v.recorded_at IS NOT NULL AND EXISTS "  # noqa: S608
            f"(SELECT 1 FROM appearances a WHERE a.video_id = v.id AND a.{column} IN "
            f"({placeholders(len(part))})) ORDER BY v.recorded_at LIMIT 1",
            *part,
            connection=draft.connection,
        )
        found += [_day(row["recorded_at"]) for row in rows]
    return min(found, default=None)


def _day(moment: str | datetime) -> date:
    recorded_at: datetime = stored_moment(moment)
    return recorded_at.astimezone(UTC).date()
