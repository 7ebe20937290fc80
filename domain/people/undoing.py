"""Putting back what a change of the register changed."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC
from uuid import UUID, uuid4

from domain.errors import ConflictError, NotFoundError
from domain.people.draft import ANSWERS, APPEARANCES, DATA_FIELDS, PEOPLE, WHOLE_ROW, Cell, Draft
from domain.people.journal import empty_people, renew_holds, write_entry
from domain.people.models import ChangedPerson, ChangeKind, Hold, PersonChange
from domain.people.register import recount

_PATH = ("change_id",)
_PAGE = 50


class ChangedSinceError(ConflictError):
    """Raised when a later change stands in the way of undoing one.

    Args:
        later: The change that must be undone first.
    """

    def __init__(self, later: PersonChange) -> None:
        moment = later.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        super().__init__(f"A later change must be undone first: {later.kind.value}, of {moment} UTC.", _PATH)
        self.change_id = later.id


async def undo(draft: Draft, user_id: UUID, change_id: UUID) -> PersonChange:
    """Put back every value that a change wrote, and what it held; this is a change itself.

    Appearances that are gone meanwhile are left out. Appearances that came by themselves to somebody who
    goes by this go where most of the others go.

    Raises:
        NotFoundError: There is no such change of this account.
        ConflictError: It is undone already, or something of what it wrote has changed since.
    """
    change = await PersonChange.get_or_none(id=change_id, owner_id=draft.owner_id, using_db=draft.connection)
    if change is None:
        raise NotFoundError("There is no PersonChange with this id.", _PATH)
    if change.undone_by_id is not None:
        raise ConflictError("This change is undone already.", _PATH)
    return await _Undoing(draft, user_id, change).carry_out()


class _Undoing:
    def __init__(self, draft: Draft, user_id: UUID, change: PersonChange) -> None:
        self._draft = draft
        self._user_id = user_id
        self._change = change
        self._people: list[UUID] = []

    async def carry_out(self) -> PersonChange:
        draft, change = self._draft, self._change
        about = await ChangedPerson.filter(change_id=change.id).using_db(draft.connection).order_by("id")
        self._people = [one.person_id for one in about]
        await self._load()
        for cell in change.cells:
            if not self._put_back(cell):
                raise await self._conflict(_writes(cell["table"], cell["id"], cell["field"]))
        await self._settle()
        cells = draft.cells()
        await draft.write()
        entry_id = uuid4()
        root = await self._mark(entry_id)
        holds = (
            await Hold.filter(change_id=root).using_db(draft.connection).values_list("subject_id", flat=True)
        )
        moved = [UUID(cell["id"]) for cell in cells if cell["table"] == APPEARANCES]
        subjects = dict.fromkeys([*(UUID(str(one)) for one in holds), *self._people, *moved])
        await renew_holds(draft.connection, list(subjects), draft.version)
        for person_id in await empty_people(draft.connection, self._people):
            draft.people[person_id] = None
        cells = _joined(cells, draft.cells())
        await draft.write()
        entry = await write_entry(
            draft, self._user_id, entry_id, ChangeKind.UNDONE, self._people, cells, undoes_id=change.id
        )
        await recount(draft.connection, draft.owner_id, self._people)
        return entry

    async def _load(self) -> None:
        ids: dict[str, list[UUID]] = {PEOPLE: list(self._people), APPEARANCES: []}
        for cell in self._change.cells:
            ids.setdefault(cell["table"], []).append(UUID(cell["id"]))
            if cell["table"] == APPEARANCES and cell["before"] is not None:
                ids[PEOPLE].append(UUID(cell["before"]))
        await self._draft.load_people(ids[PEOPLE])
        await self._draft.load_appearances(ids[APPEARANCES])

    def _put_back(self, cell: Cell) -> bool:
        """Put one value back; False if it is not what the change had written."""
        draft, id_ = self._draft, UUID(cell["id"])
        if cell["table"] == APPEARANCES:
            if id_ not in draft.owners:
                return True
            if draft.owners[id_] != _uuid(cell["after"]):
                return False
            draft.owners[id_] = _uuid(cell["before"])
            return True
        if cell["table"] == ANSWERS:
            now = draft.answers.get(id_)
            if (None if now is None else [str(one) for one in now]) != cell["after"]:
                return False
            before = cell["before"]
            draft.answers[id_] = None if before is None else (UUID(before[0]), UUID(before[1]))
            return True
        return self._put_back_person(id_, cell)

    def _put_back_person(self, id_: UUID, cell: Cell) -> bool:
        people, data = self._draft.people, self._draft.people[id_]
        if cell["field"] == WHOLE_ROW:
            after = cell["after"]
            if (data is None) != (after is None):
                return False
            if data is not None and any(data[name] != after[name] for name in DATA_FIELDS):
                return False
            people[id_] = None if cell["before"] is None else dict(cell["before"])
            return True
        if data is None or data[cell["field"]] != cell["after"]:
            return False
        data[cell["field"]] = cell["before"]
        return True

    async def _settle(self) -> None:
        """Have nobody refer to people who are not there."""
        draft = self._draft
        gone = {id_ for id_, data in draft.people.items() if data is None}
        own = {UUID(cell["id"]) for cell in self._change.cells if cell["table"] == APPEARANCES}
        for id_ in [id_ for id_, owner in draft.owners.items() if owner in gone]:
            holder = await self._other_holder(id_)
            if holder is not None:
                raise ChangedSinceError(holder)
            heir = self._heir(gone)
            if id_ in own or heir is None:
                raise await self._conflict(_writes(PEOPLE, str(draft.owners[id_])))
            draft.owners[id_] = heir
        for one in [one for pair in list(draft.answers.values()) for one in pair or ()]:
            if one in gone or await self._is_missing(one):
                raise await self._conflict(_writes(PEOPLE, str(one)), _answers_about(str(one)))

    async def _other_holder(self, appearance_id: UUID) -> PersonChange | None:
        """The newest other change in force that decided about an appearance."""
        holders = await (
            Hold.filter(subject_id=appearance_id, change__undone_by_id=None)
            .exclude(change_id=self._change.id)
            .using_db(self._draft.connection)
            .values_list("change_id", flat=True)
        )
        found = PersonChange.filter(id__in=list(holders), number__gt=self._change.number)
        return await found.using_db(self._draft.connection).order_by("-number").first() if holders else None

    async def _is_missing(self, person_id: UUID) -> bool:
        await self._draft.load_people([person_id])
        return self._draft.people[person_id] is None

    def _heir(self, gone: set[UUID]) -> UUID | None:
        """Who gets most of what the change had moved; else anybody it was about."""
        votes = Counter(
            UUID(cell["before"])
            for cell in self._change.cells
            if cell["table"] == APPEARANCES and cell["before"] is not None
        )
        candidates = [*(id_ for id_, _ in votes.most_common()), *self._people]
        return next((id_ for id_ in candidates if id_ not in gone), None)

    async def _mark(self, entry_id: UUID) -> UUID:
        """Note that the change is undone; the correction at the root, which is in force or not by this."""
        connection = self._draft.connection
        change, undone_by = self._change, entry_id
        flag: UUID | None = undone_by
        while True:
            await PersonChange.filter(id=change.id).using_db(connection).update(undone_by_id=flag)
            if change.undoes_id is None:
                return change.id
            earlier = await PersonChange.get_or_none(id=change.undoes_id, using_db=connection)
            if earlier is None:
                return change.id
            # What it had undone is in force again, or undone again by it.
            flag = None if flag is not None else change.id
            change = earlier

    async def _conflict(self, *matches: Callable[[Cell], bool]) -> ConflictError:
        """Why it cannot be undone: the newest change in force with a cell that matches."""
        before: int | None = None
        while True:
            later = PersonChange.filter(
                owner_id=self._draft.owner_id, number__gt=self._change.number, undone_by_id=None
            ).using_db(self._draft.connection)
            if before is not None:
                later = later.filter(number__lt=before)
            page = await later.order_by("-number").limit(_PAGE)
            for one in page:
                if any(match(cell) for cell in one.cells for match in matches):
                    return ChangedSinceError(one)
            if len(page) < _PAGE:
                return ConflictError("The register has changed since: this can no longer be undone.", _PATH)
            before = page[-1].number


def _writes(table: str, id_: str, field: str = WHOLE_ROW) -> Callable[[Cell], bool]:
    """Whether a cell is this one, or the row that holds it."""

    def matches(cell: Cell) -> bool:
        is_row = (cell["table"], cell["id"]) == (table, id_)
        return is_row and (field == WHOLE_ROW or cell["field"] in (field, WHOLE_ROW))

    return matches


def _answers_about(person_id: str) -> Callable[[Cell], bool]:
    return lambda cell: cell["table"] == ANSWERS and person_id in (cell["after"] or ())


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _joined(first: Sequence[Cell], second: Sequence[Cell]) -> list[Cell]:
    """Cells of two steps as if they were one."""
    cells = {(cell["table"], cell["id"], cell["field"]): dict(cell) for cell in first}
    for cell in second:
        key = (cell["table"], cell["id"], cell["field"])
        if cell["table"] == PEOPLE and cell["field"] == WHOLE_ROW and cell["after"] is None:
            _end_person(cells, cell)
        elif key in cells:
            cells[key]["after"] = cell["after"]
        else:
            cells[key] = dict(cell)
    return [cell for cell in cells.values() if cell["before"] != cell["after"]]


def _end_person(cells: dict[tuple[str, str, str], Cell], ended: Cell) -> None:
    """Somebody is gone in the second step: what the first one wrote of them is part of the row."""
    row = dict(ended["before"])
    for name in DATA_FIELDS:
        cell = cells.pop((PEOPLE, ended["id"], name), None)
        if cell is not None:
            row[name] = cell["before"]
    whole = cells.pop((PEOPLE, ended["id"], WHOLE_ROW), None)
    before = row if whole is None else whole["before"]
    cells[PEOPLE, ended["id"], WHOLE_ROW] = {**ended, "before": before}
