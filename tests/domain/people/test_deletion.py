"""Deleting people, and what other deletions leave of the register: on SQLite and PostgreSQL."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from tortoise.context import get_current_context

from domain.account_deletion import delete_account
from domain.accounts.audit import AuditEntry, AuditKind
from domain.accounts.models import User
from domain.analyses.advances import forget_plan
from domain.analyses.files import face_key
from domain.analyses.models import Analysis, AnalysisStatus
from domain.content_deletion import delete_analysis, delete_video
from domain.erasure import Erasure
from domain.errors import NotFoundError
from domain.people import corrections, deletion
from domain.people.deletion import delete_person
from domain.people.identifying import begin_identifying
from domain.people.models import (
    Appearance,
    ChangedPerson,
    ChangeKind,
    FaceRegister,
    ForgottenFace,
    Hold,
    Person,
    PersonAnswer,
    PersonChange,
    PersonExport,
)
from domain.people.retention import delete_old_people
from domain.removals import Removal, process_removals
from domain.sql import fetch_rows
from tests.domain.making import PASSWORD, make_user
from tests.domain.people.worlds import World, face, seen

pytestmark = pytest.mark.usefixtures("database")

LATE = 60.0


async def put_crops(storage, world):
    for one in await Appearance.filter(owner_id=world.owner.id):
        await storage.put(face_key(one.analysis_id, one.track_id), b"jpeg")


async def crops(storage):
    return {key async for key in storage.list("analyses")}


async def delete(world, storage, person_id):
    await delete_person(storage, world.owner.id, person_id, late_write_seconds=LATE)


async def traces(*needles):
    """Where the database still has one of these texts or bytes."""
    found = []
    for table in _tables():
        for row in await fetch_rows(f"SELECT * FROM {table}"):
            told = {
                name: value.hex() if isinstance(value, bytes) else str(value) for name, value in row.items()
            }
            text = json.dumps(told, ensure_ascii=False)
            found += [(table, needle) for needle in needles if needle in text]
    return found


def _tables():
    context = get_current_context()
    return sorted(model._meta.db_table for model in context.apps["framewise"].values())


async def test_nothing_of_somebody_is_left_and_the_others_stay(storage):
    world = await World.make()
    first, other = await world.see(face(1), face(2))
    again = (await world.see(face(1, 1)))[0]
    data = {"full_name": "Ada Lovelace"}
    await corrections.update_person(*world.who, first.person_id, data)
    await corrections.answer_same_person(*world.who, first.person_id, other.person_id, is_same=False)
    await put_crops(storage, world)
    needles = [str(first.person_id), "Lovelace", first.embedding.hex(), again.embedding.hex()]
    assert {needle for _, needle in await traces(*needles)} == set(needles)
    epoch = (await FaceRegister.get()).epoch
    await delete(world, storage, first.person_id)
    assert await traces(*needles) == []
    assert [one.id for one in await Appearance.all()] == [other.id]
    assert await crops(storage) == {face_key(other.analysis_id, other.track_id)}
    assert (await FaceRegister.get()).epoch > epoch
    assert await PersonAnswer.all().count() == 0
    assert await ForgottenFace.all().count() == 2
    entry = await AuditEntry.get(kind=AuditKind.PERSON_DELETED)
    assert (entry.user_id, entry.subject_id) == (world.owner.id, None)
    await world.check()
    with pytest.raises(NotFoundError):
        await delete(world, storage, first.person_id)


async def test_whom_others_see_cannot_be_deleted_by_them(storage):
    ada, bob = await World.make(), await World.make("bob")
    [one] = await ada.see(face(1))
    with pytest.raises(NotFoundError):
        await delete(bob, storage, one.person_id)
    assert await Person.all().count() == 1


async def test_who_was_merged_into_somebody_goes_with_them(storage):
    world = await World.make()
    first, second, third = await world.see(face(1), face(2), face(3))
    for one, name in ((first, "Ada First"), (second, "Bea Second"), (third, "Cleo Third")):
        await corrections.update_person(*world.who, one.person_id, {"full_name": name})
    # An answer about the first moves on with a merge of others, which is not about the first.
    await corrections.answer_same_person(*world.who, first.person_id, third.person_id, is_same=False)
    [fourth] = await world.see(face(4))
    await corrections.merge_people(*world.who, [third.person_id], fourth.person_id)
    await corrections.merge_people(*world.who, [second.person_id], first.person_id)
    assert await traces("Bea Second") != []
    await delete(world, storage, first.person_id)
    assert await traces("Ada First", "Bea Second", str(first.person_id), str(second.person_id)) == []
    await world.check()
    # The merge of the others can still be undone; only the answer about who is gone does not come back.
    merge = await PersonChange.get(kind=ChangeKind.MERGED)
    await corrections.undo_person_change(*world.who, merge.id)
    assert {one.full_name for one in await Person.all()} == {"Cleo Third", None}
    assert await PersonAnswer.all().count() == 0
    await world.check()


async def test_others_stay_held_by_what_was_decided_about_both(storage):
    world = await World.make()
    one, other = await world.see(face(1), face(1, 1))
    split = await corrections.split_person(*world.who, one.person_id, [other.id])
    await delete(world, storage, one.person_id)
    [left] = await Person.all()
    assert (left.id, left.is_held) == (split.person.id, True)
    # The change says nothing any more, but what it holds is let go when it is undone.
    change = await PersonChange.get()
    assert (change.cells, await ChangedPerson.all().values_list("person_id", flat=True)) == ([], [left.id])
    await corrections.undo_person_change(*world.who, change.id)
    assert (await Person.get()).is_held is False
    await world.check()


async def test_a_face_that_was_taken_from_somebody_as_none_goes_too(storage):
    world = await World.make()
    one, other = await world.see(face(1), face(1, 1))
    await corrections.reject_appearance(*world.who, other.id)
    await delete(world, storage, one.person_id)
    assert await Appearance.all().count() == await Hold.all().count() == 0


async def test_another_analysis_does_not_bring_them_back_unless_asked(storage):
    world = await World.make()
    first, _ = await world.see(face(1), face(2), sha256="a" * 64)
    await delete(world, storage, first.person_id)
    assert [one.track_id for one in await world.see(face(1, 5), face(2, 5), sha256="a" * 64)] == [1]
    [elsewhere] = await world.see(face(1, 6), sha256="b" * 64)
    assert elsewhere.person_id != first.person_id
    lease = await world.analysis(await world.video("a" * 64), recreates_people=True)
    assert await world.record(lease, [seen(0, face(1))])
    assert await Appearance.filter(analysis_id=lease.id).exists()
    await world.check()


@pytest.mark.parametrize("asked", [False, True])
async def test_an_analysis_that_is_running_does_not_bring_them_back(storage, asked):
    world = await World.make()
    lease = await world.analysis(recreates_people=asked)
    short = seen(3, face(1), is_final=False)
    await world.record(lease, [short], is_last=False)
    person = await Person.get()
    await delete(world, storage, person.id)
    # The track goes on: its places are thinned, and none that was known before is left.
    places = tuple((place[0] + 8, *place[1:]) for place in short.places)
    longer = seen(3, face(1, 2), last_seconds=60.0, places=places)
    assert await world.record(lease, [longer], 1)
    assert await Person.all().count() == await Appearance.all().count() == 0


async def test_crops_that_a_worker_writes_late_go_again(storage):
    world = await World.make()
    [one] = await world.see(face(1))
    [other] = await world.see(face(2))
    await delete(world, storage, one.person_id)
    await put_crops(storage, world)
    await storage.put(face_key(one.analysis_id, one.track_id), b"late")
    await Removal.all().update(due_at=0, final_at=0)
    await process_removals(storage)
    assert await crops(storage) == {face_key(other.analysis_id, other.track_id)}
    assert await Removal.all().count() == 0


async def test_a_crop_that_shows_somebody_again_stays(storage):
    world = await World.make()
    [one] = await world.see(face(1))
    await delete(world, storage, one.person_id)
    await ForgottenFace.all().delete()
    await Analysis.filter(id=one.analysis_id).update(identified_segments=0)
    lease = await world.analysis()
    await Analysis.filter(id=lease.id).delete()
    again = (await Analysis.get(id=one.analysis_id)).id
    await world.record(type(lease)("analyses", again, 1, 1), [seen(0, face(1))])
    await put_crops(storage, world)
    await Removal.all().update(due_at=0, final_at=0)
    await process_removals(storage)
    assert await crops(storage) == {face_key(one.analysis_id, 0)}


async def test_deletions_and_corrections_at_once_leave_a_right_register(storage):
    world = await World.make()
    for variant in range(3):
        await world.see(*(face(identity, variant) for identity in range(6)))
    people = [one.id for one in await Person.all().order_by("id")]
    lease = await world.analysis()
    outcomes = await asyncio.gather(
        *(delete(world, storage, one) for one in people[:3]),
        *(delete(world, storage, one) for one in people[:2]),
        corrections.merge_people(*world.who, [people[0]], people[3]),
        world.record(lease, [seen(9, face(1, 9)), seen(10, face(4, 9))]),
        return_exceptions=True,
    )
    assert {type(one) for one in outcomes if isinstance(one, BaseException)} <= {NotFoundError}
    await world.check()
    there = {one.id for one in await Person.all()}
    for one in await ChangedPerson.all():
        assert one.person_id not in people[1:3]
    assert not there & set(people[1:3])


async def test_a_deleted_video_takes_its_appearances_along(storage):
    world = await World.make()
    gone = await world.see(face(1), face(2))
    [left] = await world.see(face(1, 1))
    [named] = await world.see(face(3))
    await corrections.update_person(*world.who, named.person_id, {"full_name": "Stays There"})
    epoch = (await FaceRegister.get()).epoch
    for one in (gone[0], named):
        await delete_video(storage, world.owner.id, one.video_id, late_write_seconds=LATE)
    people = {one.id: one for one in await Person.all()}
    assert {id_: one.appearance_count for id_, one in people.items()} == {
        left.person_id: 1,
        named.person_id: 0,
    }
    assert (await Appearance.get()).similarity == 1.0
    assert people[left.person_id].cover_appearance_id == left.id
    assert (await FaceRegister.get()).epoch == epoch + 2
    await world.check()
    # A register that was copied before knows nobody of them any more.
    [again] = await world.see(face(2, 5))
    assert again.person_id not in {gone[1].person_id}
    await world.check()


async def test_a_deleted_analysis_takes_its_appearances_along(storage):
    world = await World.make()
    video = await world.video("a" * 64)
    leases = [await world.analysis(video) for _ in range(2)]
    for variant, lease in enumerate(leases):
        await world.record(lease, [seen(0, face(1, variant)), seen(1, face(2 + variant))])
    await delete_analysis(storage, world.owner.id, leases[1].id, late_write_seconds=LATE)
    assert {(one.analysis_id, one.track_id) for one in await Appearance.all()} == {
        (leases[0].id, 0),
        (leases[0].id, 1),
    }
    assert [one.appearance_count for one in await Person.all()] == [1, 1]
    await world.check()


async def test_who_goes_with_the_last_video_leaves_no_name_in_the_history(storage):
    world = await World.make()
    [one] = await world.see(face(1))
    named = await corrections.update_person(*world.who, one.person_id, {"full_name": "Ada Lovelace"})
    await corrections.undo_person_change(*world.who, named.change_id)
    await delete_video(storage, world.owner.id, one.video_id, late_write_seconds=LATE)
    assert await Person.all().count() == 0
    assert await traces("Lovelace", str(one.person_id)) == []


async def test_videos_go_while_faces_are_recorded(storage):
    world = await World.make()
    videos = [await world.video() for _ in range(4)]
    leases = [await world.analysis(video) for video in videos]

    async def record(place):
        for number in range(4):
            await world.record(leases[place], [seen(number, face(number, place))], number, is_last=False)

    await asyncio.gather(
        *(record(place) for place in range(4)),
        *(delete_video(storage, world.owner.id, one.id, late_write_seconds=LATE) for one in videos[:3]),
    )
    assert {one.analysis_id for one in await Appearance.all()} == {leases[3].id}
    assert [one.appearance_count for one in await Person.all()] == [1, 1, 1, 1]
    await world.check()


async def test_an_analysis_that_begins_anew_leaves_no_faces_of_before(storage):
    world = await World.make()
    video = await world.video()
    lease = await world.analysis(video, status=AnalysisStatus.RUNNING)
    await world.record(lease, [seen(0, face(1)), seen(1, face(2))], is_last=False)
    await forget_plan(video.id)
    assert not await world.record(lease, [seen(2, face(3))], 1)
    analysis = await Analysis.get(id=lease.id)
    anew = type(lease)("analyses", lease.id, analysis.fence, 1)
    await begin_identifying(anew)
    assert await world.record(anew, [seen(0, face(5)), seen(7, face(6))])
    assert sorted(await Appearance.all().values_list("track_id", flat=True)) == [0, 7]
    assert await Person.all().count() == 2
    await world.check()


async def test_an_account_takes_its_register_along(storage):
    ada = World(await make_user("ada"))
    bob = await World.make("bob")
    [one] = await ada.see(face(1))
    await ada.see(face(2))
    await corrections.update_person(*ada.who, one.person_id, {"full_name": "Ada Lovelace"})
    await delete(ada, storage, (await Person.exclude(id=one.person_id).get()).id)
    await bob.see(face(1))
    user = await User.get(id=ada.owner.id)
    await delete_account(storage, user, PASSWORD, late_write_seconds=LATE)
    for table in (FaceRegister, Person, Appearance):
        assert {row.owner_id for row in await table.all()} == {bob.owner.id}
    for table in (PersonChange, ChangedPerson, Hold, PersonAnswer, ForgottenFace, PersonExport):
        assert await table.all().count() == 0
    assert await traces("Lovelace", str(one.person_id)) == []


async def test_people_unseen_for_long_go_and_are_not_taken_up_again(storage):
    world = await World.make()
    old, both = await world.see(face(1), face(2), sha256="a" * 64)
    long_ago = datetime.now(UTC) - timedelta(days=31)
    [no_face] = await world.see(face(4))
    await corrections.reject_appearance(*world.who, no_face.id)
    await Appearance.all().update(created_at=long_ago)
    await Person.all().update(created_at=long_ago, updated_at=long_ago)
    await world.see(face(2, 1), face(3))
    assert await delete_old_people(0, late_write_seconds=LATE) == 0
    assert await delete_old_people(30, late_write_seconds=LATE) == 1
    assert not await Person.filter(id=old.person_id).exists()
    assert await Person.filter(id=both.person_id).exists()
    assert not await Appearance.filter(id=no_face.id).exists()
    assert await Person.all().count() == 2
    assert [one.track_id for one in await world.see(face(1, 3), face(2, 3), sha256="a" * 64)] == [1]
    assert await AuditEntry.filter(kind=AuditKind.PERSON_DELETED).count() == 1
    assert await delete_old_people(30, late_write_seconds=LATE) == 0
    await world.check()


async def test_who_is_kept_without_appearances_goes_so_long_after_the_last_change(storage):
    world = await World.make()
    [one] = await world.see(face(1))
    await corrections.update_person(*world.who, one.person_id, {"full_name": "Ada Lovelace"})
    await delete_video(storage, world.owner.id, one.video_id, late_write_seconds=LATE)
    long_ago = datetime.now(UTC) - timedelta(days=31)
    await Person.all().update(created_at=long_ago)
    assert await delete_old_people(30, late_write_seconds=LATE) == 0
    await Person.all().update(updated_at=long_ago)
    assert await delete_old_people(30, late_write_seconds=LATE) == 1


async def test_many_go_in_parts(storage, monkeypatch):
    for module in ("sql", "people.deletion", "people.journal"):
        monkeypatch.setattr(f"domain.{module}.BATCH", 2)
    world = await World.make()
    for variant in range(4):
        await world.see(face(1, variant), face(2, variant))
    first = await Person.first()
    for seen_in in (await Appearance.filter(person_id=first.id))[:2]:
        await corrections.reject_appearance(*world.who, seen_in.id)
    await delete(world, storage, first.id)
    assert await Appearance.all().count() == 4
    await world.check()


async def test_an_erasure_is_noted_until_it_is_done(storage, database, monkeypatch):
    world = await World.make()
    [one] = await world.see(face(1))

    async def nothing():
        pass

    monkeypatch.setattr(deletion, "try_erasure", nothing)
    await delete(world, storage, one.person_id)
    assert await Erasure.all().count() == 1
