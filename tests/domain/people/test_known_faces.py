"""Whatever order faces come in, in whatever pieces: they are the same people in the end."""

import random
from dataclasses import dataclass
from itertools import permutations
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.people import known_faces
from domain.people.known_faces import Face, KnownFaces
from tests.domain.people.worlds import SAME, between, face, unit


@dataclass
class Seen:
    face: Face
    embedding: np.ndarray
    early: np.ndarray
    """What it was taken for while its track went on."""


def _faces(seed: int) -> list[Seen]:
    """Faces of a few people that are hard to tell; some are decided about, some stand side by side."""
    chance = random.Random(seed)
    people = [uuid4() for _ in range(2)]
    analyses = [uuid4() for _ in range(4)]
    made = []
    for track in range(chance.randint(2, 28)):
        one = chance.randint(1, 4)
        vector = face(one, track, chance.choice([0.3, 0.8, 1.2]))
        if chance.random() < 0.2:
            vector = between(vector, face(one % 4 + 1, track), chance.random())
        person_id = chance.choice(people) if chance.random() < 0.15 else None
        beside = tuple(chance.sample(range(28), 2)) if chance.random() < 0.2 else ()
        analysis = chance.randrange(4)
        made.append(
            Seen(
                Face(
                    id=uuid4(),
                    track=(analyses[analysis], track),
                    video_sha256=str(analysis),
                    first_seconds=float(track % 5),
                    beside=beside,
                    person_id=person_id,
                    is_pinned=person_id is not None,
                ),
                vector,
                unit(vector + 0.9 * face(chance.randint(1, 4), track)),
            )
        )
    return made


def _people(faces: list[Seen], seed: int) -> set[frozenset[UUID]]:
    """Record the faces in pieces, some of them twice; who is who at the end."""
    chance = random.Random(seed)
    known = KnownFaces(SAME)
    owners: dict[UUID, UUID | None] = {}
    steps = [(one, one.embedding) for one in faces]
    chance.shuffle(steps)
    for one in chance.sample(faces, len(faces) // 3):
        last = next(place for place, step in enumerate(steps) if step[0] is one)
        steps.insert(chance.randint(0, last), (one, one.early))
    while steps:
        size = chance.randint(1, 5)
        part: dict[UUID, tuple[Seen, np.ndarray]] = {}
        while steps and len(part) < size and steps[0][0].face.id not in part:
            one, vector = steps.pop(0)
            part[one.face.id] = one, vector
        changed = []
        for one, _ in part.values():
            person_id = one.face.person_id or owners.get(one.face.id)
            changed.append(
                Face(**{name: getattr(one.face, name) for name in Face.__slots__} | {"person_id": person_id})
            )
        owners.update((one.id, one.person_id) for one in changed)
        given, _ = known.change(changed, np.stack([vector for _, vector in part.values()]), [])
        owners.update(given)
    groups: dict[UUID | None, set[UUID]] = {}
    for id_, owner in owners.items():
        groups.setdefault(owner, set()).add(id_)
    assert None not in groups
    return {frozenset(group) for group in groups.values()}


@given(seed=st.integers(0, 1_000_000), first=st.integers(0, 1000), second=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_no_order_and_no_pieces_matter(seed: int, first: int, second: int) -> None:
    faces = _faces(seed)
    assert _people(faces, first) == _people(faces, second)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_third_face_parts_nobody(order: tuple[int, ...]) -> None:
    # The first two are one person's. A third is like the second, but less like the first.
    cosines = [[1, 0.589, 0.335], [0.589, 1, 0.7], [0.335, 0.7, 1]]
    vectors = np.linalg.cholesky(np.array(cosines)).astype(np.float32)
    known, owners = KnownFaces(0.52), dict[UUID, UUID]()
    for place in order:
        one = Face(uuid4(), (uuid4(), 1), str(place), 0.0, (), None, False)
        owners.update(known.change([one], vectors[[place]], [])[0])
    assert len(owners) == 3
    assert len(set(owners.values())) == 1


def test_a_face_that_goes_leaves_people_apart_that_it_had_joined() -> None:
    known, analysis = KnownFaces(SAME), uuid4()
    # The outer two have a cosine of 0.58; the one between them brings them together.
    vectors = np.stack([[np.cos(turn), np.sin(turn)] for turn in (0.0, 0.475, 0.95)]).astype(np.float32)
    faces = [Face(uuid4(), (analysis, track), "a", float(track), (), None, False) for track in range(3)]
    given, news = known.change(faces, vectors, [])
    assert set(given.values()) == set(news)
    assert len(news) == 1
    again, others = known.change([], np.empty((0, 2), np.float32), [faces[1].id])
    assert len(others) == 1
    assert len(again) == 1


def test_past_a_limit_only_similar_people_are_looked_at(monkeypatch) -> None:
    monkeypatch.setattr(known_faces, "MOST_AFFECTED", 3)
    known, analysis = KnownFaces(SAME), uuid4()
    # A chain: each is similar to the next one only.
    vectors = np.stack([unit(np.array([np.cos(turn), np.sin(turn)])) for turn in np.arange(8) * 0.85])
    faces = [Face(uuid4(), (analysis, track), "a", float(track), (), None, False) for track in range(8)]
    owners: dict[UUID, UUID] = {}
    for place in range(8):
        given, _ = known.change([faces[place]], vectors[place : place + 1].astype(np.float32), [])
        owners.update(given)
    assert len(owners) == 8
    assert 4 <= len(set(owners.values())) <= 8
