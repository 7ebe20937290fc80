"""Copies of embeddings in memory: as fresh as the database, bounded, and never in anybody's way."""

import asyncio
from uuid import uuid4

import numpy as np
import pytest
from tortoise.transactions import in_transaction

from domain.people.face_index import copies
from domain.people.face_index.copies import FaceCopies, FaceCopy, shared_copies
from domain.people.face_index.scan import ScanFaceIndex, best_matches
from tests.domain.people.face_index.registers import MODEL, MadeRegister, statements, unit


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def shown(copy: FaceCopy) -> dict:
    return {
        copy.appearance_id(row): (copy.person_id(row), copy.embeddings[row].tobytes())
        for row in range(copy.count)
    }


async def test_only_what_changed_is_read_in_one_statement(database, rng, monkeypatch):
    made = await MadeRegister.make()
    person, other = await made.person(), await made.person()
    vectors = unit(rng, 120)
    ids = await made.add(vectors, [person] * 120, per_version=50)
    kept = FaceCopies()
    read = []
    original = FaceCopy.read_changed

    async def counting(self, *arguments):
        changes = await original(self, *arguments)
        read.append(sum(row["id"] is not None for row in changes.rows))
        return changes

    monkeypatch.setattr(FaceCopy, "read_changed", counting)
    expected = {id_: (person, vector.tobytes()) for id_, vector in zip(ids, vectors, strict=True)}
    async with kept.fresh(made.owner.id, MODEL) as copy:
        assert shown(copy) == expected
    assert read == [0, 120]  # the epoch was not known
    for change in (ids[7], None, ids[119]):
        if change is not None:
            await made.move(change, other)
            expected[change] = (other, expected[change][1])
        read.clear()
        with statements() as counted:
            async with kept.fresh(made.owner.id, MODEL) as copy:
                assert shown(copy) == expected
        assert (counted.count, read) == (1, [0 if change is None else 1])
    await made.move(ids[3], None)
    del expected[ids[3]]
    await made.remove(ids[0], ids[1])
    del expected[ids[0]], expected[ids[1]]
    async with kept.fresh(made.owner.id, MODEL) as copy:
        assert shown(copy) == expected
        assert copy.row_of(ids[3]) is None
        row = copy.row_of(ids[50])
        assert copy.appearance_ids[row].tobytes() == ids[50].bytes
        assert copy.person_ids[row].tobytes() == person.bytes


@pytest.mark.parametrize("page_rows", [1, 7, 50])
async def test_pages_of_any_size_give_the_same(database, rng, monkeypatch, page_rows):
    monkeypatch.setattr(copies, "_PAGE_ROWS", page_rows)
    made = await MadeRegister.make()
    person = await made.person()
    vectors = unit(rng, 50)
    ids = await made.add(vectors, [person] * 50, per_version=20)
    kept = FaceCopies()
    for _ in range(2):
        async with kept.fresh(made.owner.id, MODEL) as copy:
            assert shown(copy) == {
                id_: (person, vector.tobytes()) for id_, vector in zip(ids, vectors, strict=True)
            }
        await made.remove(ids.pop())
        vectors = vectors[:-1]


async def test_what_a_writer_rolls_back_is_not_kept(database, rng):
    made = await MadeRegister.make()
    person, other = await made.person(), await made.person()
    (id_,) = await made.add(unit(rng, 1), [person])
    kept = FaceCopies()
    for is_kept in (False, True):
        try:
            async with in_transaction() as connection:
                await made.count_up()
                async with kept.fresh(made.owner.id, MODEL, connection=connection, is_writer=True) as copy:
                    assert copy.person_id(0) == person
                await made.move(id_, other)
                if not is_kept:
                    raise RuntimeError
        except RuntimeError:
            pass
        async with kept.fresh(made.owner.id, MODEL) as copy:
            assert copy.person_id(0) == (other if is_kept else person)


async def test_a_writer_and_readers_never_wait_for_each_other_for_ever(database, rng):
    """On SQLite a reader waits for the transaction, which must not wait for the reader."""
    made = await MadeRegister.make()
    person = await made.person()
    vectors = unit(rng, 30)
    await made.add(vectors, [person] * 30)
    index = ScanFaceIndex()

    async def write():
        for _ in range(5):
            async with in_transaction() as connection:
                await made.count_up()
                await asyncio.sleep(0.01)
                fresh = shared_copies().fresh(made.owner.id, MODEL, connection=connection, is_writer=True)
                async with fresh as copy:
                    assert copy.count == 30

    async def read():
        for _ in range(20):
            assert len(await index.search(made.owner.id, MODEL, vectors[0], 5)) == 1

    async with asyncio.timeout(60):
        await asyncio.gather(write(), read(), read(), read())


async def test_accounts_searched_least_lately_are_forgotten(database, rng):
    registers = [await MadeRegister.make(name) for name in ("ada", "bob", "eve")]
    for made in registers:
        await made.add(unit(rng, 200), [await made.person()] * 200)
    kept = FaceCopies()

    async def use(made):
        async with kept.fresh(made.owner.id, MODEL) as copy:
            assert copy.count == 200
            return copy.size_bytes

    one = await use(registers[0])
    kept = FaceCopies(max_bytes=2 * one)
    for made in (registers[0], registers[1], registers[0], registers[2]):
        await use(made)
        assert kept.size_bytes <= 2 * one
    assert [key[0] for key in kept._copies] == [registers[0].owner.id, registers[2].owner.id]
    kept = FaceCopies(max_bytes=1)
    await use(registers[0])  # what is in use stays
    await use(registers[1])
    assert kept.size_bytes == one


async def test_somebody_who_goes_away_while_it_is_read_leaves_it_whole(database, rng, monkeypatch):
    monkeypatch.setattr(copies, "_PAGE_ROWS", 150)
    made = await MadeRegister.make()
    person = await made.person()
    vectors = unit(rng, 900)
    ids = await made.add(vectors, [person] * 900)
    kept = FaceCopies()

    async def use():
        async with kept.fresh(made.owner.id, MODEL) as copy:
            return shown(copy)

    for steps in range(0, 40, 3):
        going = asyncio.create_task(use())
        for _ in range(steps):
            await asyncio.sleep(0.001)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
    assert await use() == {id_: (person, vector.tobytes()) for id_, vector in zip(ids, vectors, strict=True)}


async def test_an_unknown_account_has_no_faces(database, rng):
    async with FaceCopies().fresh(uuid4(), MODEL) as copy:
        assert copy.count == 0
        assert best_matches(copy, unit(rng, 1)[0], 5) == []
