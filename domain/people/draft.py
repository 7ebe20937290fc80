"""A change of the register while it is being made: what was there, and what is to be there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from domain.errors import NotFoundError
from domain.people.models import Person, PersonAnswer, Sex
from domain.people.personal_data import stored_name_key
from domain.people.register import give_appearances
from domain.sql import fetch_rows, in_batches, placeholders, stored_uuid

Cell = dict[str, Any]
"""One value of the journal: table, id, field (`*` for a row that comes or goes), before and after."""

PEOPLE, APPEARANCES, ANSWERS = "people", "appearances", "person_answers"
WHOLE_ROW = "*"
DATA_FIELDS = ("full_name", "birth_date", "sex", "profile_appearance_id")

Data = dict[str, Any]
"""What the journal keeps of a person: the values of `DATA_FIELDS` and `created_at` as JSON has them."""

Pair = tuple[UUID, UUID]


@dataclass
class Draft:
    """People, their appearances and answers about them, as they are to be.

    Attributes:
        connection: The transaction that holds the register's lock.
        owner_id: Whose register it is.
        version: The register's.
        people: Each person's data; None for one who is gone.
        owners: Whose each appearance is; None for a rejected one.
        answers: The two who are not the same person, by the answer's id; None for one that is gone.
        held: People who were held, and appearances that were pinned.
    """

    connection: BaseDBAsyncClient
    owner_id: UUID
    version: int
    people: dict[UUID, Data | None] = field(default_factory=dict)
    owners: dict[UUID, UUID | None] = field(default_factory=dict)
    answers: dict[UUID, Pair | None] = field(default_factory=dict)
    held: set[UUID] = field(default_factory=set)
    _people_before: dict[UUID, Data | None] = field(default_factory=dict)
    _owners_before: dict[UUID, UUID | None] = field(default_factory=dict)
    _answers_before: dict[UUID, Pair | None] = field(default_factory=dict)

    async def load_people(self, person_ids: Iterable[UUID]) -> None:
        """Load people with all their appearances, and the answers about them; the unknown are None."""
        wanted = [id_ for id_ in dict.fromkeys(person_ids) if id_ not in self.people]
        for ids in in_batches(wanted):
            found = {
                person.id: person
                for person in await Person.filter(owner_id=self.owner_id, id__in=ids).using_db(
                    self.connection
                )
            }
            for id_ in ids:
                person = found.get(id_)
                self.people[id_] = None if person is None else data_of(person)
                self._people_before[id_] = None if person is None else data_of(person)
            self.held.update(person.id for person in found.values() if person.is_held)
            await self._load_appearances(f"person_id IN ({placeholders(len(ids), 2)})", ids)
            await self._load_answers(ids)

    async def load_appearances(self, appearance_ids: Iterable[UUID]) -> None:
        """Load appearances; those that are gone do not appear among the owners."""
        wanted = [id_ for id_ in dict.fromkeys(appearance_ids) if id_ not in self.owners]
        for ids in in_batches(wanted):
            await self._load_appearances(f"id IN ({placeholders(len(ids), 2)})", ids)

    async def get_person(self, person_id: UUID, path: Sequence[str | int]) -> Data:
        """A person of this account, with all appearances.

        Raises:
            NotFoundError: There is none.
        """
        await self.load_people([person_id])
        data = self.people[person_id]
        if data is None:
            raise NotFoundError("There is no Person with this id.", path)
        return data

    async def get_owner(self, appearance_id: UUID, path: Sequence[str | int]) -> UUID | None:
        """Whose an appearance of this account is; the person is loaded.

        Raises:
            NotFoundError: There is no such appearance.
        """
        await self.load_appearances([appearance_id])
        if appearance_id not in self.owners:
            raise NotFoundError("There is no Appearance with this id.", path)
        owner = self.owners[appearance_id]
        if owner is not None:
            await self.load_people([owner])
        return owner

    def appearances_of(self, person_ids: Iterable[UUID]) -> list[UUID]:
        """The appearances that people are to have."""
        wanted = set(person_ids)
        return [id_ for id_, owner in self.owners.items() if owner in wanted]

    def had_appearances(self, person_id: UUID) -> bool:
        """Whether somebody has appearances as long as this is not written."""
        return person_id in self._owners_before.values()

    def remove_person(self, person_id: UUID) -> None:
        """Have somebody be gone, and the answers about them."""
        self.people[person_id] = None
        for answer_id, pair in list(self.answers.items()):
            if pair is not None and person_id in pair:
                self.answers[answer_id] = None

    def is_answered(self, one: UUID, other: UUID) -> bool:
        """Whether it was said that two people are not the same one."""
        return pair_of(one, other) in self.answers.values()

    def cells(self) -> list[Cell]:
        """What is to be other than it was."""
        found: list[Cell] = []
        for id_, data in self.people.items():
            before = self._people_before.get(id_)
            if before is None or data is None:
                if before != data:
                    found.append(_cell(PEOPLE, id_, WHOLE_ROW, before, data))
                continue
            found += [
                _cell(PEOPLE, id_, name, before[name], data[name])
                for name in DATA_FIELDS
                if before[name] != data[name]
            ]
        found += [
            _cell(APPEARANCES, id_, "person_id", _text(self._owners_before[id_]), _text(owner))
            for id_, owner in self.owners.items()
            if self._owners_before[id_] != owner
        ]
        found += [
            _cell(ANSWERS, id_, WHOLE_ROW, _texts(self._answers_before.get(id_)), _texts(pair))
            for id_, pair in self.answers.items()
            if self._answers_before.get(id_) != pair
        ]
        return found

    async def write(self) -> None:
        """Write what is to be other; whoever is held stays as it is, new people are not."""
        gone = [id_ for id_, data in self.people.items() if data is None and self._people_before.get(id_)]
        for part in in_batches(gone):
            await Person.filter(id__in=part).using_db(self.connection).delete()
        for id_, data in self.people.items():
            before = self._people_before.get(id_)
            if data is not None and data != before:
                await self._write_person(id_, data, is_new=before is None)
        moved: dict[UUID | None, list[UUID]] = {}
        for id_, owner in self.owners.items():
            if self._owners_before[id_] != owner:
                moved.setdefault(owner, []).append(id_)
        for owner, ids in moved.items():
            await give_appearances(self.connection, ids, owner, self.version)
        await self._write_answers()
        self._people_before = {id_: data and dict(data) for id_, data in self.people.items()}
        self._owners_before, self._answers_before = dict(self.owners), dict(self.answers)

    async def _write_person(self, id_: UUID, data: Data, *, is_new: bool) -> None:
        now = datetime.now(UTC)
        values = {**columns_of(data), "updated_at": now}
        if is_new:
            values["created_at"] = datetime.fromisoformat(data["created_at"])
            person = Person(id=id_, owner_id=self.owner_id, **values)
            await Person.bulk_create([person], using_db=self.connection)
        else:
            await Person.filter(id=id_).using_db(self.connection).update(**values)

    async def _write_answers(self) -> None:
        for id_, pair in self.answers.items():
            before = self._answers_before.get(id_)
            if pair == before:
                continue
            if before is not None:
                await PersonAnswer.filter(id=id_).using_db(self.connection).delete()
            if pair is not None:
                await PersonAnswer.create(
                    id=id_,
                    owner_id=self.owner_id,
                    first_person_id=pair[0],
                    second_person_id=pair[1],
                    using_db=self.connection,
                )

    async def _load_appearances(self, condition: str, values: Sequence[UUID]) -> None:
        rows = await fetch_rows(
            "SELECT id, person_id, is_pinned FROM appearances "  # noqa: S608 - constants and placeholders
            f"WHERE owner_id = $1 AND {condition} ORDER BY id",
            self.owner_id,
            *values,
            connection=self.connection,
        )
        for row in rows:
            id_ = stored_uuid(row["id"])
            if id_ not in self.owners:
                owner = None if row["person_id"] is None else stored_uuid(row["person_id"])
                self.owners[id_] = self._owners_before[id_] = owner
                if row["is_pinned"]:
                    self.held.add(id_)

    async def _load_answers(self, person_ids: Sequence[UUID]) -> None:
        for name in ("first_person_id", "second_person_id"):
            found = PersonAnswer.filter(owner_id=self.owner_id, **{f"{name}__in": list(person_ids)})
            for answer in await found.using_db(self.connection):
                pair = (stored_uuid(answer.first_person_id), stored_uuid(answer.second_person_id))
                if answer.id not in self.answers:
                    self.answers[answer.id] = self._answers_before[answer.id] = pair


def pair_of(one: UUID, other: UUID) -> Pair:
    """Two people in the order that answers keep."""
    return (one, other) if str(one) < str(other) else (other, one)


def data_of(person: Person) -> Data:
    """What the journal keeps of a person."""
    return {
        "full_name": person.full_name,
        "birth_date": None if person.birth_date is None else person.birth_date.isoformat(),
        "sex": None if person.sex is None else person.sex.value,
        "profile_appearance_id": _text(person.profile_appearance_id),
        "created_at": person.created_at.astimezone(UTC).isoformat(),
    }


def columns_of(data: Data) -> dict[str, Any]:
    """The columns of a person from what the journal keeps."""
    born, sex, profile = data["birth_date"], data["sex"], data["profile_appearance_id"]
    return {
        "full_name": data["full_name"],
        "name_key": stored_name_key(data["full_name"]),
        "birth_date": None if born is None else date.fromisoformat(born),
        "sex": None if sex is None else Sex(sex),
        "profile_appearance_id": None if profile is None else UUID(profile),
    }


def _cell(table: str, id_: UUID, field_name: str, before: Any, after: Any) -> Cell:
    return {"table": table, "id": str(id_), "field": field_name, "before": before, "after": after}


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)


def _texts(pair: Pair | None) -> list[str] | None:
    return None if pair is None else [str(id_) for id_ in pair]
