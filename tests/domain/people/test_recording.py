import asyncio
import random
from uuid import uuid4

import numpy as np
import pytest

from domain.analyses.models import Analysis
from domain.people import corrections, known_faces
from domain.people.models import Appearance, FaceRegister, ForgottenFace, Person
from domain.people.recording import Sighting
from tests.domain.people.worlds import DIMENSIONS, MODEL, SAME, World, between, face, seen

pytestmark = pytest.mark.usefixtures("database")
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_one_person_is_one_in_many_videos() -> None:
    world = await World.make()
    for variant in range(10):
        await world.see(face(1, variant), face(2, variant) if variant % 2 else face(3, variant))
    assert sorted(one.appearance_count for one in await Person.all()) == [5, 5, 10]
    assert all(one.similarity > 0.8 for one in await Appearance.all())
    await world.check()


async def test_recording_the_same_again_changes_nothing() -> None:
    world = await World.make()
    lease = await world.analysis()
    sightings = [seen(1, face(1)), seen(2, face(1, 5)), seen(3, face(2))]
    assert await world.record(lease, sightings)
    before = await world.snapshot()
    assert await world.record(lease, sightings)  # only the answer was lost
    assert await world.snapshot() == before
    await Analysis.filter(id=lease.id).update(identified_segments=0)
    assert await world.record(lease, sightings)  # begun anew
    assert await world.snapshot() == before


@on_sqlite
async def test_a_lost_claim_records_nothing() -> None:
    world = await World.make()
    lease = await world.analysis()
    await Analysis.filter(id=lease.id).update(fence=2)
    assert not await world.record(lease, [seen(1, face(1))])
    assert not await Appearance.exists()
    assert (await Analysis.get(id=lease.id)).identified_segments == 0
    await Analysis.filter(id=lease.id).delete()
    assert not await world.record(lease, [seen(1, face(1))])


@on_sqlite
async def test_segments_are_recorded_in_their_order() -> None:
    world = await World.make()
    lease = await world.analysis()
    assert not await world.record(lease, [seen(1, face(1))], 1)
    assert await world.record(lease, [seen(1, face(1))], 0, is_last=False, count=3)
    assert (await Analysis.get(id=lease.id)).identified_segments == 3
    assert await world.record(lease, [seen(2, face(1, 3))], 3)
    assert (await Person.get()).appearance_count == 2


async def test_what_was_provisional_becomes_final_or_goes() -> None:
    world = await World.make()
    lease = await world.analysis()
    # The first look takes it for somebody else, and another track never ends.
    first = [seen(1, face(2), is_final=False), seen(2, face(3), is_final=False), seen(3, face(2, 1))]
    assert await world.record(lease, first, is_last=False)
    assert len(await world.groups()) == 2
    assert await world.record(lease, [seen(1, face(1))], 1)
    assert await world.groups() == {frozenset({(lease.id, 1)}), frozenset({(lease.id, 3)})}
    await world.check()


@on_sqlite
async def test_faces_seen_side_by_side_are_different_people() -> None:
    world = await World.make()
    lease = await world.analysis()
    await world.record(lease, [seen(1, face(1), beside=(2,)), seen(2, face(1, 1), beside=(1,))])
    assert await Person.all().count() == 2
    await world.see(face(1, 2))
    assert sorted(one.appearance_count for one in await Person.all()) == [1, 2]


@on_sqlite
async def test_the_bridge_between_two_people_goes_again() -> None:
    world = await World.make()
    one, other = np.eye(DIMENSIONS, dtype=np.float32)[:2]
    await world.see(one)
    await world.see(other)
    lease = await world.analysis()
    bridge = seen(1, between(one, other, 0.5), is_final=False)
    await world.record(lease, [bridge], is_last=False)
    assert len(await world.groups()) == 2
    await world.record(lease, [seen(1, face(9))], 1)
    assert len(await world.groups()) == 3


@on_sqlite
async def test_embeddings_of_two_models_are_not_compared() -> None:
    world = await World.make()
    await world.see(face(1))
    await world.record(await world.analysis(), [seen(1, face(1))], model="another")
    assert await Person.all().count() == 2


@on_sqlite
async def test_two_accounts_have_two_registers() -> None:
    ada, bob = await World.make(), await World.make("bob")
    await ada.see(face(1))
    await bob.see(face(1))
    assert [one.appearance_count for one in await Person.all()] == [1, 1]


def _clips(count: int) -> list[list[Sighting]]:
    """Faces of a few people in some videos, some of them hard to tell."""
    chance = random.Random(5)
    clips = []
    for clip in range(count):
        people = chance.sample(range(6), 4)
        faces = [face(one, clip, 0.8) for one in people] + [between(face(0), face(1), chance.random())]
        clips.append([seen(track, vector) for track, vector in enumerate(faces)])
    return clips


async def _register(
    world: World, clips: list[list[Sighting]], order: list[tuple[int, int]]
) -> set[frozenset]:
    """Record the halves of clips in some order; who is who, by clip and track."""
    leases = [await world.analysis(await world.video(f"{clip:064x}")) for clip in range(len(clips))]
    known_faces._copies.clear()
    for clip, half in order:
        if chance_forgets := (clip + half) % 5 == 0:
            known_faces._copies.clear()  # another worker, or one that was started anew
        sightings = clips[clip][:3] if half == 0 else clips[clip][3:]
        assert await world.record(leases[clip], sightings, half, is_last=half == 1), chance_forgets
    place = {lease.id: clip for clip, lease in enumerate(leases)}
    return {
        frozenset((place[analysis], track) for analysis, track in group) for group in await world.groups()
    }


@on_sqlite
async def test_the_order_does_not_matter() -> None:
    clips = _clips(8)
    found = []
    for run in range(3):
        order = [(clip, 0) for clip in range(8)]
        random.Random(run).shuffle(order)
        for clip in random.Random(run + 9).sample(range(8), 8):
            places = [place for place, (one, _) in enumerate(order) if one == clip]
            order.insert(random.Random(run).randint(places[0] + 1, len(order)), (clip, 1))
        found.append(await _register(await World.make(f"user{run}"), clips, order))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) < 30


async def test_two_analyses_at_once_make_one_person_of_one() -> None:
    world = await World.make()
    leases = [await world.analysis() for _ in range(4)]

    async def work(place: int) -> None:
        for number in range(3):
            vectors = [face(1, 10 * place + number), face(2, 10 * place + number)]
            sightings = [seen(2 * number + side, vector) for side, vector in enumerate(vectors)]
            assert await world.record(leases[place], sightings, number, is_last=False)

    await asyncio.gather(*[work(place) for place in range(4)])
    assert sorted(one.appearance_count for one in await Person.all()) == [12, 12]
    await world.check()


async def test_decisions_hold_for_another_analysis_of_the_same_content() -> None:
    world = await World.make()
    first = await world.see(face(1), face(2), face(3), sha256="a" * 64)
    await corrections.reject_appearance(*world.who, first[0].id)
    await corrections.merge_people(*world.who, [first[1].person_id], first[2].person_id)
    second = await world.see(face(1, 4), face(2, 4), face(3, 4), sha256="a" * 64)
    assert [(one.person_id, one.is_pinned) for one in second] == [
        (None, True),
        (first[2].person_id, True),
        (first[2].person_id, True),
    ]
    other = await world.see(face(1, 5), sha256="b" * 64)
    assert other[0].person_id is not None
    await world.check()


@on_sqlite
async def test_a_decision_about_a_track_of_two_people_is_inherited_by_one_of_them() -> None:
    world = await World.make()
    (both,) = await world.see(face(1), sha256="a" * 64)
    await corrections.update_person(*world.who, both.person_id, {"full_name": "Ada"})
    lease = await world.analysis(await world.video("a" * 64))
    places = seen(0, face(1)).places
    pure = [seen(3, face(1, 4), places=places[:2]), seen(4, face(5), places=places[2:])]
    assert await world.record(lease, pure)
    first, second = await Appearance.filter(analysis_id=lease.id).order_by("track_id")
    assert (first.person_id, first.is_pinned) == (both.person_id, True)
    assert second.person_id not in (None, both.person_id)
    assert not second.is_pinned
    await world.check()


@on_sqlite
@pytest.mark.parametrize("is_held", [False, True])
async def test_a_track_number_that_goes_to_another_face_takes_no_decision_along(is_held: bool) -> None:
    world = await World.make()
    (first,) = await world.see(face(1), sha256="a" * 64)
    await corrections.update_person(*world.who, first.person_id, {"full_name": "Ada"})
    lease = await world.analysis(await world.video("a" * 64))
    assert await world.record(lease, [seen(0, face(1, 1), is_final=False)], is_last=False)
    assert (await Appearance.get(analysis_id=lease.id)).is_pinned
    if is_held:
        await corrections.update_person(*world.who, first.person_id, {"full_name": "Ada King"})
    await Analysis.filter(id=lease.id).update(identified_segments=0)
    assert await world.record(lease, [seen(0, face(5), places=seen(5, face(5)).places)])
    other = await Appearance.get(analysis_id=lease.id)
    assert other.person_id not in (None, first.person_id)
    assert not other.is_pinned
    assert (await Person.get(id=first.person_id)).appearance_count == 1
    await world.check()


@on_sqlite
async def test_a_track_that_comes_to_look_otherwise_keeps_what_was_decided() -> None:
    world = await World.make()
    lease = await world.analysis()
    assert await world.record(lease, [seen(0, face(1), is_final=False)], is_last=False)
    first = await Appearance.get()
    await corrections.update_person(*world.who, first.person_id, {"full_name": "Ada"})
    assert await world.record(lease, [seen(0, face(5))], 1)
    row = await Appearance.get()
    assert (row.id, row.person_id, row.is_pinned) == (first.id, first.person_id, True)


async def test_who_was_taken_up_again_is_forgotten_no_more() -> None:
    world = await World.make()
    for track in (0, 1):
        places = [list(place) for place in seen(track, face(1)).places]
        await ForgottenFace.create(id=uuid4(), owner_id=world.owner.id, video_sha256="a" * 64, places=places)
    lease = await world.analysis(await world.video("a" * 64), recreates_people=True)
    await world.record(lease, [seen(0, face(1), is_final=False)], is_last=False)
    assert await ForgottenFace.all().count() == 2
    await world.record(lease, [seen(0, face(1))], 1)
    assert await ForgottenFace.all().count() == 1
    later = await world.see(face(1, 1), face(5), face(9), sha256="a" * 64)
    assert [one.track_id for one in later] == [0, 2]


@on_sqlite
async def test_who_was_deleted_since_stays_forgotten() -> None:
    world = await World.make()
    lease = await world.analysis(await world.video("a" * 64), recreates_people=True)
    places = [list(place) for place in seen(0, face(1)).places]
    await ForgottenFace.create(owner_id=world.owner.id, video_sha256="a" * 64, places=places)
    await world.record(lease, [seen(0, face(1))])
    assert await ForgottenFace.exists()


async def test_the_forgotten_are_not_taken_up_again_unless_asked() -> None:
    world = await World.make()
    places = [list(place) for place in seen(0, face(1)).places]
    await ForgottenFace.create(owner_id=world.owner.id, video_sha256="a" * 64, places=places)
    assert [one.track_id for one in await world.see(face(1), face(2), sha256="a" * 64)] == [1]
    lease = await world.analysis(await world.video("a" * 64), recreates_people=True)
    await world.record(lease, [seen(0, face(1))])
    assert await Appearance.filter(analysis_id=lease.id).exists()
    await world.check()


async def test_a_correction_holds_against_what_comes_later() -> None:
    world = await World.make()
    one, other = await world.see(face(1), face(1, 1))
    split = await corrections.split_person(*world.who, one.person_id, [other.id])
    assert split.person is not None
    for variant in range(2, 6):
        await world.see(face(1, variant))
    people = {row.id: row.appearance_count for row in await Person.all()}
    assert people.keys() == {one.person_id, split.person.id}
    assert sum(people.values()) == 6
    assert (await Appearance.get(id=one.id)).person_id == one.person_id
    assert (await Appearance.get(id=other.id)).person_id == split.person.id


@on_sqlite
async def test_a_copy_in_memory_is_as_good_as_none() -> None:
    world = await World.make()
    for variant in range(4):
        await world.see(face(1, variant, 0.9), face(2, variant, 0.9))
    # Another process goes on, and takes rows away.
    copies = dict(known_faces._copies)
    known_faces._copies.clear()
    gone = await world.see(face(1, 8), face(3))
    await Appearance.filter(id=gone[1].id).delete()
    await Person.filter(id=gone[1].person_id).delete()
    await FaceRegister.filter(id=world.owner.id).update(version=100, epoch=5)
    known_faces._copies.update(copies)
    again = await world.see(face(3, 1), face(1, 9))
    assert (await Person.get(id=again[0].person_id)).appearance_count == 1
    assert again[1].person_id == gone[0].person_id
    copy = known_faces._copies[world.owner.id, MODEL, SAME]
    assert len(copy) == await Appearance.all().count()


@on_sqlite
async def test_what_failed_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await World.make()
    await world.see(face(1))
    lease = await world.analysis()

    async def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("domain.people.recording.recount", fail)
        with pytest.raises(RuntimeError):
            await world.record(lease, [seen(1, face(1, 1))])
    assert (world.owner.id, MODEL, SAME) not in known_faces._copies
    assert await world.record(lease, [seen(1, face(1, 1))])
    assert (await Person.get()).appearance_count == 2
