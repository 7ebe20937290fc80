"""What changes did to the data of people, told from the journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from domain.people.draft import PEOPLE, WHOLE_ROW, Cell
from domain.people.models import PersonChange
from domain.sql import fetch_values, stored_uuid

EDITED_FIELDS = ("full_name", "birth_date", "sex")
"""What people know of people."""


@dataclass(frozen=True)
class DataEdit:
    """A change of one field of one person, as text."""

    person_id: UUID
    field: str
    before: str | None
    after: str | None


async def read_edits(owner_id: UUID, change_ids: Sequence[UUID]) -> dict[UUID, list[DataEdit]]:
    """What each of these changes did to names, birth dates and sexes."""
    places = ", ".join("?" * len(change_ids))
    rows = await fetch_values(
        f"SELECT id, cells FROM {PersonChange._meta.db_table} "  # noqa: S608 - constants and placeholders
        f"WHERE owner_id = ? AND id IN ({places})",
        owner_id,
        *change_ids,
    )
    return {stored_uuid(row[0]): _edits(orjson.loads(row[1])) for row in rows}


def _edits(cells: Sequence[Cell]) -> list[DataEdit]:
    found: list[DataEdit] = []
    for cell in cells:
        if cell["table"] != PEOPLE:
            continue
        values = (cell["before"], cell["after"])
        if cell["field"] == WHOLE_ROW:
            before, after = (value or {} for value in values)
            changes = [(name, before.get(name), after.get(name)) for name in EDITED_FIELDS]
        else:
            changes = [(cell["field"], *values)]
        found += [
            DataEdit(UUID(cell["id"]), name, before, after)
            for name, before, after in changes
            if name in EDITED_FIELDS and before != after
        ]
    return found
