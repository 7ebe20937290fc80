"""What people changed in the register."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import strawberry

from domain.pages import Rows, read_all
from domain.people import models
from domain.people.edits import DataEdit, read_edits
from domain.people.lists import CHANGES_OF_PEOPLE
from domain.people.models import ChangeKind
from domain.sql import stored_uuid
from graphql_api.accounts import User, load_user
from graphql_api.context import Context, Info
from graphql_api.fields import field
from graphql_api.relay import Connection, Node, global_id, id_of
from graphql_api.row_pages import paginate_rows_of
from graphql_api.rows import Computed, RowType, enum_of, moment_of

strawberry.enum(ChangeKind, name="PersonChangeKind", description="What somebody did to the register.")


@strawberry.type(description="What of somebody's data was changed.")
class PersonEdit:
    person_id: strawberry.ID = strawberry.field(description="Whose data it is.")
    field_name: str = strawberry.field(
        name="field", description="The name of the field: `fullName`, `birthDate` or `sex`."
    )
    before: str | None = strawberry.field(description="What it was; null: nothing.")
    after: str | None = strawberry.field(description="What it was changed to; null: nothing.")

    @classmethod
    def of(cls, edit: DataEdit) -> Self:
        """The edit as it is shown."""
        return cls(
            person_id=global_id("Person", edit.person_id),
            field_name=_SHOWN[edit.field],
            before=edit.before,
            after=edit.after,
        )


_SHOWN = {"full_name": "fullName", "birth_date": "birthDate", "sex": "sex"}


@strawberry.type(description="What somebody changed in the register: who, when and what. It can be undone.")
class PersonChange(Node):
    key: strawberry.Private[UUID]
    changed_by_key: strawberry.Private[UUID]
    kind: ChangeKind = strawberry.field(description="What was done.")
    created_at: datetime = strawberry.field(description="When.")
    is_undone: bool = strawberry.field(description="Whether it was undone.")
    undoes_id: strawberry.ID | None = strawberry.field(
        description="The id of the change that this one undid; null if it is none that undoes."
    )

    @field("Who did it; null once the account is gone.")
    async def changed_by(self, info: Info) -> User | None:
        return await load_user(info.context, self.changed_by_key)

    @field("What it changed of names, birth dates and sexes.")
    async def edits(self, info: Info) -> list[PersonEdit]:
        async def load(keys: list[UUID]) -> Sequence[list[PersonEdit]]:
            found = await read_edits(info.context.user_id, keys)
            return [[PersonEdit.of(edit) for edit in found.get(key, ())] for key in keys]

        return await info.context.loader("edits", load).load(self.key)


def _undoes(stored: Any) -> strawberry.ID | None:
    return None if stored is None else global_id("PersonChange", stored_uuid(stored))


_TABLE = models.PersonChange._meta.db_table
_COLUMNS = {
    "stored_key": f"{_TABLE}.id",
    "number": f"{_TABLE}.number",
    "stored_kind": f"{_TABLE}.kind",
    "stored_changed_by": f"{_TABLE}.changed_by_id",
    "stored_undone_by": f"{_TABLE}.undone_by_id",
    "stored_undoes": f"{_TABLE}.undoes_id",
    "stored_created_at": f"{_TABLE}.created_at",
}
_COMPUTED = {
    "id": id_of("PersonChange", "stored_key"),
    "key": Computed(("stored_key",), stored_uuid),
    "changed_by_key": Computed(("stored_changed_by",), stored_uuid),
    "kind": enum_of("stored_kind", ChangeKind),
    "is_undone": Computed(("stored_undone_by",), lambda stored: stored is not None),
    "undoes_id": Computed(("stored_undoes",), _undoes),
    "created_at": moment_of("stored_created_at"),
}

CHANGE_ROWS = RowType(PersonChange, models.PersonChange, _COLUMNS, **_COMPUTED)
"""How rows become changes."""

_CHANGES_OF_PEOPLE = RowType(
    PersonChange, models.PersonChange, {"person_key": "changed_people.person_id"} | _COLUMNS, **_COMPUTED
)


async def changes_of_people(
    keys: Sequence[UUID], first: int | None, after: str | None
) -> list[Connection[PersonChange]]:
    """The same page of the history of each of these people of the viewer."""
    kind = _CHANGES_OF_PEOPLE
    rows = Rows(models.PersonChange, kind.columns, joined=CHANGES_OF_PEOPLE)
    return await paginate_rows_of(
        keys, "changed_people.person_id", rows, kind, first=first, after=after, order_by="-number"
    )


async def load_change(context: Context, key: UUID) -> PersonChange | None:
    """The node loader of `PersonChange`: everybody sees only their own."""
    viewer = await context.require_viewer()
    rows = await read_all(CHANGE_ROWS.rows.of_owner(viewer.user_id).where("id = ?", key))
    return CHANGE_ROWS.of(rows[0]) if rows else None
