import numpy as np
import pytest

from domain.people import corrections
from domain.people.models import Person
from domain.people.suggestions import Suggestion, same_person_suggestions
from tests.domain.people.worlds import MODEL, World, between, seen

pytestmark = pytest.mark.usefixtures("database")

ONE, OTHER, THIRD = np.eye(16, dtype=np.float32)[:3]
NEAR = between(ONE, OTHER, 0.37)
"""Its cosine to ONE is 0.86, to OTHER 0.51: below the threshold of 0.6."""


async def suggest(world: World, least: float = 0.45) -> list[Suggestion]:
    return list(
        await same_person_suggestions(world.owner.id, 10, embedding_model=MODEL, least_similarity=least)
    )


async def test_doubtful_pairs_are_suggested_until_they_are_answered() -> None:
    world = await World.make()
    assert await suggest(world) == []
    near, other, _ = [one.person_id for one in await world.see(NEAR, OTHER, THIRD)]
    (found,) = await suggest(world)
    assert {found.first_id, found.second_id} == {near, other}
    assert found.similarity == pytest.approx(float(NEAR @ OTHER), abs=1e-3)
    assert await suggest(world, 0.6) == []
    done = await corrections.answer_same_person(*world.who, near, other, is_same=False)
    assert await suggest(world) == []
    await corrections.undo_person_change(*world.who, done.change_id)
    assert await suggest(world) == [found]
    await corrections.answer_same_person(*world.who, near, other, is_same=True)
    assert await suggest(world) == []
    assert await Person.all().count() == 2


async def test_similar_people_whom_somebody_keeps_apart_are_suggested() -> None:
    world = await World.make()
    first, second = await world.see(ONE, between(ONE, OTHER, 0.1))
    split = await corrections.split_person(*world.who, first.person_id, [second.id])
    # The split has answered already.
    assert await suggest(world) == []
    # Held people stay apart however similar they become.
    third = (await world.see(THIRD))[0]
    assert split.person is not None
    await corrections.update_person(*world.who, third.person_id, {"full_name": "Ada"})
    await corrections.move_appearance(*world.who, second.id, third.person_id)
    (found,) = await suggest(world)
    assert {found.first_id, found.second_id} == {first.person_id, third.person_id}


async def test_those_seen_side_by_side_are_no_pair() -> None:
    world = await World.make()
    lease = await world.analysis()
    await world.record(lease, [seen(1, ONE, beside=(2,)), seen(2, between(ONE, OTHER, 0.1))])
    assert await Person.all().count() == 2
    assert await suggest(world) == []


async def test_many_people_are_sorted_by_similarity() -> None:
    world = await World.make()
    vectors = np.random.default_rng(3).normal(size=(60, 16))
    await world.see(*[(one / np.linalg.norm(one)).astype(np.float32) for one in vectors])
    found = await suggest(world, 0.1)
    assert len(found) == 10
    assert found == sorted(found, key=lambda one: -one.similarity)
