"""The bytes of what was deleted leave the files of the database."""

import sqlite3
from pathlib import Path

import pytest
from tortoise.transactions import in_transaction

from domain.database import sqlite_file
from domain.erasure import Erasure, carry_out_erasures, note_erasure, try_erasure
from domain.people.models import Person
from tests.databases import connected
from tests.domain.making import make_user

SECRET = "Quillfeather"


async def make_and_delete() -> None:
    owner = await make_user()
    people = [Person(owner_id=owner.id, full_name=f"{SECRET} {number}") for number in range(200)]
    await Person.bulk_create(people)
    async with in_transaction() as connection:
        await Person.all().using_db(connection).delete()
        await note_erasure(connection)


def holding(path: Path) -> list[str]:
    return [one.name for one in path.parent.glob(f"{path.name}*") if SECRET.encode() in one.read_bytes()]


async def test_what_is_noted_is_carried_out(database):
    await make_and_delete()
    assert await carry_out_erasures()
    assert await Erasure.all().count() == 0
    assert await carry_out_erasures()


@pytest.fixture
async def path(tmp_path):
    url = f"sqlite://{tmp_path / 'test.sqlite3'}"
    async with connected(url):
        yield sqlite_file(url)


async def test_no_byte_is_left_in_the_files(path):
    await make_and_delete()
    assert holding(path) == [f"{path.name}-wal"]
    await try_erasure()
    assert holding(path) == []
    assert await Erasure.all().count() == 0


async def test_a_long_read_puts_it_off(path):
    owner = await make_user()
    await Person.create(owner_id=owner.id)
    reader = sqlite3.connect(path, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM people").fetchall()
        await Person.all().delete()
        await make_and_delete_more(owner)
        await try_erasure()
        assert not await carry_out_erasures()
        assert await Erasure.all().count() == 1
        assert holding(path) != []
        reader.execute("COMMIT")
        assert await carry_out_erasures()
        assert holding(path) == []
    finally:
        reader.close()


async def make_and_delete_more(owner) -> None:
    await Person.create(owner_id=owner.id, full_name=SECRET)
    async with in_transaction() as connection:
        await Person.all().using_db(connection).delete()
        await note_erasure(connection)
