"""What every index promises: one suite over all of them."""

import asyncio
from uuid import UUID

import numpy as np
import pytest

from domain.people.face_index.factory import create_face_index
from domain.people.face_index.pgvector import PgvectorFaceIndex
from domain.people.face_index.scan import ScanFaceIndex
from domain.sql import fetch_rows
from tests.databases import connected
from tests.domain.people.face_index.registers import MODEL, MadeRegister, unit
from tests.vector_databases import make_vector_database


@pytest.fixture(params=["scan", "scan-postgres", "pgvector"])
async def index(request, tmp_path):
    if request.param == "scan":
        url = f"sqlite://{tmp_path / 'test.sqlite3'}"
    else:
        url = await make_vector_database(request.getfixturevalue("vector_server"))
    async with connected(url):
        if request.param == "pgvector":
            await fetch_rows("CREATE EXTENSION vector")
        found = await create_face_index()
        assert type(found) is (PgvectorFaceIndex if request.param == "pgvector" else ScanFaceIndex)
        yield found


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def expected(vectors, people, ids, wanted, limit) -> list[tuple[UUID, UUID, float]]:
    best: dict[UUID, tuple[float, UUID]] = {}
    for vector, person, id_ in zip(vectors, people, ids, strict=True):
        if person is not None:
            best[person] = max(best.get(person, (-2.0, id_)), (float(vector @ wanted), id_))
    ranked = sorted(
        ((person, id_, similarity) for person, (similarity, id_) in best.items()), key=lambda m: -m[2]
    )
    return ranked[:limit]


def flat(matches):
    return [(match.person_id, match.appearance_id, match.similarity) for match in matches]


def same(found, wanted) -> bool:
    return [one[:2] for one in found] == [one[:2] for one in wanted] and np.allclose(
        [one[2] for one in found], [one[2] for one in wanted], atol=2e-6
    )


async def test_it_finds_the_persons_most_alike_each_once(index, rng):
    made = await MadeRegister.make()
    persons = [await made.person() for _ in range(60)]
    vectors = unit(rng, 3000)
    # One person has very many faces, all of them alike: the others must come up all the same.
    people = [persons[0] if n < 1500 else persons[n % 60] for n in range(3000)]
    vectors[:1500] = unit(rng, 1)[0] + 0.01 * unit(rng, 1500)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = await made.add(vectors, people)
    wanted = vectors[3]
    for limit in (1, 20, 100):
        found = flat(await index.search(made.owner.id, MODEL, wanted, limit))
        assert same(found, expected(vectors, people, ids, wanted, limit))
        assert found[0][2] == pytest.approx(1, abs=1e-5)
    assert len(found) == 60
    assert await index.search(made.owner.id, MODEL, wanted, 0) == []


async def test_it_sees_what_was_written_before_each_search(index, rng):
    made = await MadeRegister.make()
    first, second = await made.person(), await made.person()
    vectors = unit(rng, 4)

    async def best():
        return [
            (match.person_id, match.appearance_id)
            for match in await index.search(made.owner.id, MODEL, vectors[0], 5)
        ]

    assert await best() == []
    (mine,) = await made.add(vectors[:1], [first])
    assert await best() == [(first, mine)]
    others = await made.add(vectors[1:], [second] * 3)
    nearest = others[int(np.argmax(vectors[1:] @ vectors[0]))]
    assert await best() == [(first, mine), (second, nearest)]
    await made.move(mine, second)
    assert await best() == [(second, mine)]
    await made.move(mine, None)
    assert await best() == [(second, nearest)]
    await made.move(mine, first)
    assert await best() == [(first, mine), (second, nearest)]
    await made.remove(mine)
    assert await best() == [(second, nearest)]
    (again,) = await made.add(vectors[:1], [first])
    assert await best() == [(first, again), (second, nearest)]
    await made.remove(again, *others)
    assert await best() == []


async def test_accounts_and_models_are_kept_apart(index, rng):
    made, other = await MadeRegister.make(), await MadeRegister.make("bob")
    (vector,) = unit(rng, 1)
    mine, theirs, elsewhere = await made.person(), await other.person(), await made.person()
    await made.add(vector[None], [mine])
    await other.add(vector[None], [theirs])
    await made.add(unit(rng, 1, 64), [elsewhere], model="another")
    for register, person in ((made, mine), (other, theirs), (made, mine)):
        (match,) = await index.search(register.owner.id, MODEL, vector, 5)
        assert match.person_id == person
    (match,) = await index.search(made.owner.id, "another", unit(rng, 1, 64)[0], 5)
    assert match.person_id == elsewhere
    assert await index.search(made.owner.id, "third", vector, 5) == []
    assert await index.search(elsewhere, MODEL, vector, 5) == []


async def test_equal_faces_come_in_the_same_order_each_time(index, rng):
    made = await MadeRegister.make()
    persons = [await made.person() for _ in range(40)]
    (vector,) = unit(rng, 1)
    ids = await made.add(np.tile(vector, (40, 1)), persons)
    found = await index.search(made.owner.id, MODEL, vector, 2)
    assert [match.appearance_id for match in found] == sorted(ids)[:2]


async def test_searches_at_once_beside_a_writer_agree_with_the_database(index, rng):
    made = await MadeRegister.make()
    persons = [await made.person() for _ in range(5)]
    vectors = unit(rng, 2600)
    people = [persons[n % 5] for n in range(2600)]

    async def search():
        return flat(await index.search(made.owner.id, MODEL, vectors[0], 5))

    writing = asyncio.create_task(made.add(vectors, people, per_version=100))
    while not writing.done():
        for found in await asyncio.gather(*(search() for _ in range(4))):
            assert [one[2] for one in found] == sorted((one[2] for one in found), reverse=True)
    ids = await writing
    wanted = expected(vectors, people, ids, vectors[0], 5)
    for found in await asyncio.gather(*(search() for _ in range(4))):
        assert same(found, wanted)
