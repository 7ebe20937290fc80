"""People by name are read from an index, on both databases."""

from uuid import UUID, uuid4

import pytest
from tortoise import connections
from tortoise.transactions import in_transaction

from domain import pages
from domain.pages import Order, Rows, columns_of, read_page
from domain.people.models import Person
from domain.people.name_order import NAME_KEY
from domain.people.personal_data import stored_name_key
from domain.sql import fetch_values, is_postgres
from tests.domain.making import make_user

BY_NAME = Order("name_key", expression=NAME_KEY)
NAMES = ("Émile", "Zoë", "ada", "Ada", None, "Bob", None, "Ωmega", "Ben-Ami", "Bea")


@pytest.fixture
async def owner(database) -> UUID:
    owners = [await make_user(name) for name in ("owner", "somebody")]
    for owner in owners:
        await Person.bulk_create(
            Person(id=uuid4(), owner_id=owner.id, full_name=name, name_key=name and stored_name_key(name))
            for name in NAMES * 3
        )
    return owners[0].id


def _people(owner: UUID) -> Rows:
    return Rows(Person, columns_of({"id": "id", "name": "full_name", "key": NAME_KEY})).of_owner(owner)


async def test_pages_of_people_by_name_are_in_the_order_of_code_points(owner):
    found: list[tuple[str, str | None]] = []
    after = None
    while page := await read_page(_people(owner), BY_NAME, after, 4):
        found += [(str(key), name) for key, name, _ in page]
        after = (page[-1][2], page[-1][0] if is_postgres() else UUID(page[-1][0]))
    named = [stored_name_key(name) for name in NAMES * 3 if name]
    assert [stored_name_key(name) if name else None for _, name in found] == [*sorted(named), *[None] * 6]
    assert len({key for key, _ in found}) == len(NAMES) * 3


async def test_neither_the_first_page_nor_a_later_one_is_sorted(owner, monkeypatch):
    asked: list[tuple[str, tuple[object, ...]]] = []

    async def noted(sql, *values):
        asked.append((sql, values))
        return await fetch_values(sql, *values)

    monkeypatch.setattr(pages, "fetch_values", noted)
    for after in (None, ("bob", UUID(int=0))):
        assert len(await read_page(_people(owner), BY_NAME, after, 3)) == 3
    for sql, values in asked:
        plan = await _plan(sql, values)
        assert "people_by_name" in plan
        assert "sort" not in plan.lower(), plan
        assert "B-TREE" not in plan, plan
    # The later page begins at its place.
    assert "<expr>>?" in plan or "COALESCE(name_key" in plan.partition("Index Cond")[2], plan


async def _plan(sql: str, values: tuple[object, ...]) -> str:
    if not is_postgres():
        return "\n".join(str(row[-1]) for row in await fetch_values(f"EXPLAIN QUERY PLAN {sql}", *values))
    parts = sql.split("?")
    numbered = parts[0] + "".join(f"${number}{part}" for number, part in enumerate(parts[1:], 1))
    async with in_transaction() as connection:
        # With so few rows it would read them all.
        for method in ("seqscan", "bitmapscan", "sort"):
            await connection.execute_script(f"SET LOCAL enable_{method} = off")
        rows = await connection.execute_query_dict(f"EXPLAIN {numbered}", list(values))
    return "\n".join(row["QUERY PLAN"] for row in rows)


async def test_postgresql_compares_names_by_code_points_whatever_its_language(owner):
    if is_postgres():
        rows = await connections.get("default").execute_query_dict(
            "SELECT collation_name FROM information_schema.columns WHERE column_name = 'name_key'"
        )
        assert [row["collation_name"] for row in rows] == ["C"]
