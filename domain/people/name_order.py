"""The order of people by name: by code points, alike on both databases, the unnamed last."""

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from typing_extensions import override

NAME_KEY = "COALESCE(name_key, '\U0010ffff')"
"""What people are sorted by where it is by name: those without one come last."""


class NameKeyField(fields.CharField[str | None]):
    """Text that PostgreSQL compares by code points, as SQLite does, whatever the database's language is."""

    class _db_postgres:  # noqa: N801 - Tortoise looks for it by this name
        def __init__(self, field: "NameKeyField") -> None:
            self.field = field

        @property
        def SQL_TYPE(self) -> str:  # noqa: N802 - Tortoise's name
            return f'VARCHAR({self.field.max_length}) COLLATE "C"'


class NameIndex(Index):
    """The people of each account in the order of `NAME_KEY`."""

    def __init__(self) -> None:
        super().__init__(fields=("owner_id", "name_key", "id"), name="people_by_name")

    @property
    @override
    def field_names(self) -> list[str]:
        """What stands in the index."""
        return ["owner_id", f"({NAME_KEY})", "id"]

    @override
    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """How a migration makes it."""
        return f"{type(self).__module__}.{type(self).__name__}", [], {}
