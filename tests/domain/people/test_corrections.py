from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from domain.errors import ConflictError, InvalidError, NotFoundError
from domain.people import corrections
from domain.people.models import (
    Appearance,
    ChangedPerson,
    ChangeKind,
    Person,
    PersonAnswer,
    PersonChange,
    Sex,
)
from domain.people.undoing import ChangedSinceError
from domain.videos.models import Video
from tests.domain.people.worlds import World, face

pytestmark = pytest.mark.usefixtures("database")


async def test_absent_is_unchanged_and_null_clears() -> None:
    world = await World.make()
    (seen,) = await world.see(face(1))
    data = {"full_name": "  Ada   Lovelace ", "birth_date": date(1915, 12, 10), "sex": Sex.FEMALE}
    done = await corrections.update_person(*world.who, seen.person_id, data)
    assert done.person is not None
    assert (done.person.full_name, done.person.name_key) == ("Ada Lovelace", "ada lovelace")
    same = await corrections.update_person(*world.who, seen.person_id, {"full_name": "Ada Lovelace"})
    assert same.change_id is None
    await corrections.update_person(*world.who, seen.person_id, {"birth_date": None})
    person = await Person.get()
    assert (person.full_name, person.birth_date, person.sex) == ("Ada Lovelace", None, Sex.FEMALE)
    first, second = await PersonChange.all().order_by("number")
    assert (first.kind, first.changed_by_id) == (ChangeKind.EDITED, world.owner.id)
    assert second.cells == [
        {
            "table": "people",
            "id": str(person.id),
            "field": "birth_date",
            "before": "1915-12-10",
            "after": None,
        }
    ]


async def test_nobody_is_born_after_being_filmed() -> None:
    world = await World.make()
    first, later = (await world.see(face(1)))[0], (await world.see(face(1, 1)))[0]
    await Video.filter(id=first.video_id).update(recorded_at=datetime(2001, 5, 6, 23, tzinfo=UTC))
    await Video.filter(id=later.video_id).update(recorded_at=datetime(2011, 5, 6, tzinfo=UTC))
    with pytest.raises(InvalidError, match="2001-05-06") as caught:
        await corrections.update_person(*world.who, first.person_id, {"birth_date": date(2001, 5, 7)})
    assert caught.value.path == ("birth_date",)
    await corrections.update_person(*world.who, first.person_id, {"birth_date": date(2001, 5, 6)})


async def test_nobody_is_given_a_face_that_was_filmed_before_the_birth() -> None:
    world = await World.make()
    (old,), (new,) = await world.see(face(1)), await world.see(face(5))
    await Video.filter(id=old.video_id).update(recorded_at=datetime(2001, 5, 6, 23, tzinfo=UTC))
    await corrections.update_person(*world.who, new.person_id, {"birth_date": date(2001, 5, 7)})
    before = await world.snapshot()
    for path, work in [
        (("person_id",), corrections.move_appearance(*world.who, old.id, new.person_id)),
        (("into",), corrections.merge_people(*world.who, [old.person_id], new.person_id)),
        # Whoever stays takes the birth date over.
        (("into",), corrections.merge_people(*world.who, [new.person_id], old.person_id)),
        (
            ("first_id",),
            corrections.answer_same_person(*world.who, new.person_id, old.person_id, is_same=True),
        ),
    ]:
        with pytest.raises(ConflictError, match=r"2001-05-07.*2001-05-06") as caught:
            await work
        assert caught.value.path == path
    assert await world.snapshot() == before
    await corrections.update_person(*world.who, new.person_id, {"birth_date": date(2001, 5, 6)})
    await corrections.move_appearance(*world.who, old.id, new.person_id)


async def test_a_merge_takes_over_what_is_lacking_and_carries_answers_over() -> None:
    world = await World.make()
    into, other, third = [one.person_id for one in await world.see(face(1), face(2), face(3))]
    await corrections.update_person(*world.who, into, {"full_name": "Ada"})
    await corrections.update_person(*world.who, other, {"full_name": "Bob", "sex": Sex.MALE})
    await corrections.answer_same_person(*world.who, other, third, is_same=False)
    before = await world.snapshot()
    done = await corrections.merge_people(*world.who, [other, into], into)
    assert done.person is not None
    assert (done.person.full_name, done.person.sex, done.person.appearance_count) == ("Ada", Sex.MALE, 2)
    answer = await PersonAnswer.get()
    assert {answer.first_person_id, answer.second_person_id} == {into, third}
    assert {one.person_id for one in await ChangedPerson.filter(change_id=done.change_id)} == {into, other}
    await corrections.undo_person_change(*world.who, done.change_id)
    assert await world.snapshot() == before
    await world.check()


async def test_a_false_face_takes_an_unknown_person_with_it() -> None:
    world = await World.make()
    (seen,) = await world.see(face(1))
    before = await world.snapshot()
    done = await corrections.reject_appearance(*world.who, seen.id)
    assert done.person is None
    assert not await Person.exists()
    assert (await corrections.reject_appearance(*world.who, seen.id)).change_id is None
    await corrections.undo_person_change(*world.who, done.change_id)
    assert await world.snapshot() == before


@pytest.mark.parametrize("way", ["reject", "move"])
async def test_an_unknown_person_goes_with_the_last_of_several_faces(way: str) -> None:
    world = await World.make()
    one, two = await world.see(face(1), face(1, 1))
    (other,) = await world.see(face(5))
    await corrections.answer_same_person(*world.who, one.person_id, other.person_id, is_same=False)
    changes = []
    for appearance in (one, two):
        before = await world.snapshot()
        if way == "reject":
            done = await corrections.reject_appearance(*world.who, appearance.id)
        else:
            done = await corrections.move_appearance(*world.who, appearance.id, other.person_id)
        changes.append(done.change_id)
    assert [person.id for person in await Person.all()] == [other.person_id]
    assert not await PersonAnswer.exists()
    await world.check()
    with pytest.raises(ChangedSinceError) as caught:
        await corrections.undo_person_change(*world.who, changes[0])
    assert caught.value.change_id == changes[1]
    after = await world.snapshot()
    undone = await corrections.undo_person_change(*world.who, changes[1])
    assert await world.snapshot() == before
    await corrections.undo_person_change(*world.who, undone.change_id)
    assert await world.snapshot() == after


async def test_a_named_person_stays_without_appearances() -> None:
    world = await World.make()
    (seen,) = await world.see(face(1))
    await corrections.update_person(*world.who, seen.person_id, {"full_name": "Ada"})
    done = await corrections.reject_appearance(*world.who, seen.id)
    assert done.person is not None
    assert done.person.appearance_count == 0
    back = await corrections.move_appearance(*world.who, seen.id, seen.person_id)
    assert back.person is not None
    assert back.person.appearance_count == 1
    await world.check()


async def test_undoing_names_what_is_in_the_way() -> None:
    world = await World.make()
    one, other = await world.see(face(1), face(2))
    first = await corrections.update_person(*world.who, one.person_id, {"full_name": "Ada"})
    chosen = await corrections.choose_profile_photo(*world.who, one.person_id, one.id)
    second = await corrections.update_person(*world.who, one.person_id, {"full_name": "Eva"})
    with pytest.raises(ChangedSinceError, match="EDITED") as caught:
        await corrections.undo_person_change(*world.who, first.change_id)
    assert caught.value.change_id == second.change_id
    # What has nothing to do with it can be undone, and the person stays held.
    await corrections.undo_person_change(*world.who, chosen.change_id)
    assert (await Person.get(id=one.person_id)).is_held
    with pytest.raises(ConflictError, match="already"):
        await corrections.undo_person_change(*world.who, chosen.change_id)
    await corrections.undo_person_change(*world.who, second.change_id)
    await corrections.undo_person_change(*world.who, first.change_id)
    person = await Person.get(id=one.person_id)
    assert (person.full_name, person.is_held) == (None, False)
    merged = await corrections.merge_people(*world.who, [other.person_id], one.person_id)
    split = await corrections.split_person(*world.who, one.person_id, [other.id])
    with pytest.raises(ChangedSinceError) as caught:
        await corrections.undo_person_change(*world.who, merged.change_id)
    assert caught.value.change_id == split.change_id


async def test_undoing_a_split_keeps_who_came_since() -> None:
    world = await World.make()
    one, other = await world.see(face(1), face(2))
    merged = await corrections.merge_people(*world.who, [other.person_id], one.person_id)
    split = await corrections.split_person(*world.who, one.person_id, [other.id])
    (later,) = await world.see(face(2, 1))
    assert split.person is not None
    assert later.person_id == split.person.id
    undone = await corrections.undo_person_change(*world.who, split.change_id)
    assert (await Appearance.get(id=later.id)).person_id == one.person_id
    await world.check()
    await corrections.undo_person_change(*world.who, undone.change_id)
    assert (await Appearance.get(id=later.id)).person_id == split.person.id
    await world.check()
    with pytest.raises(ChangedSinceError):
        await corrections.undo_person_change(*world.who, merged.change_id)


async def test_what_is_gone_is_left_out_of_an_undo() -> None:
    world = await World.make()
    one, other = await world.see(face(1), face(2))
    merged = await corrections.merge_people(*world.who, [other.person_id], one.person_id)
    await Appearance.filter(id=other.id).delete()
    await corrections.undo_person_change(*world.who, merged.change_id)
    # Nobody has touched the other one, and nothing of it is left.
    assert [person.id for person in await Person.all()] == [one.person_id]
    await world.check()


async def test_what_cannot_be_is_refused() -> None:
    world, stranger = await World.make(), await World.make("bob")
    one, other = await world.see(face(1), face(2))
    a, b = one.person_id, other.person_id
    cases = [
        (NotFoundError, ("id",), corrections.update_person(*stranger.who, a, {"full_name": "Ada"})),
        (InvalidError, ("full_name",), corrections.update_person(*world.who, a, {"full_name": "4da"})),
        (InvalidError, ("ids",), corrections.merge_people(*world.who, [a], a)),
        (NotFoundError, ("ids", "1"), corrections.merge_people(*world.who, [a, uuid4()], b)),
        (NotFoundError, ("into",), corrections.merge_people(*world.who, [a], uuid4())),
        (InvalidError, ("appearance_ids",), corrections.split_person(*world.who, a, [])),
        (InvalidError, ("appearance_ids",), corrections.split_person(*world.who, a, [one.id])),
        (InvalidError, ("appearance_ids", "0"), corrections.split_person(*world.who, a, [other.id])),
        (NotFoundError, ("id",), corrections.move_appearance(*stranger.who, one.id, a)),
        (NotFoundError, ("person_id",), corrections.move_appearance(*world.who, one.id, uuid4())),
        (NotFoundError, ("id",), corrections.reject_appearance(*world.who, uuid4())),
        (InvalidError, ("appearance_id",), corrections.choose_profile_photo(*world.who, a, other.id)),
        (InvalidError, ("second_id",), corrections.answer_same_person(*world.who, a, a, is_same=True)),
        (NotFoundError, ("second_id",), corrections.answer_same_person(*world.who, a, uuid4(), is_same=True)),
        (NotFoundError, ("change_id",), corrections.undo_person_change(*world.who, uuid4())),
    ]
    before = await world.snapshot()
    for error, path, work in cases:
        with pytest.raises(error) as caught:
            await work
        assert caught.value.path == path
    assert await world.snapshot() == before
    assert not await PersonChange.exists()
