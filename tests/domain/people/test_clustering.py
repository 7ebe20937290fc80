from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.people import strong_links
from domain.people.assignment import NOBODY, assign
from domain.people.clustering import STEPS, Faces, cluster
from domain.people.strong_links import FLOOR_MARGIN, STRONG_MARGIN
from tests.domain.people.worlds import unit

SAME = 0.6


def _made(seed: int) -> Faces:
    """Faces that are hard to tell apart, some of them the same, some decided about, some seen side by side."""
    chance = np.random.default_rng(seed)
    count, dimensions = int(chance.integers(1, 22)), int(chance.choice([3, 8, 32]))
    centres = chance.normal(size=(int(chance.integers(1, 6)), dimensions))
    noise = chance.choice([0.2, 0.6, 1.2]) * chance.normal(size=(count, dimensions))
    vectors = centres[chance.integers(0, len(centres), count)] + noise
    if seed % 3 == 0:
        vectors = vectors[chance.integers(0, count, count)]
    people = np.where(chance.random(count) < 0.2, chance.integers(0, 3, count), -1)
    pairs = chance.integers(0, count, (int(chance.integers(0, 5)), 2)).tolist()
    apart = [(one, other) for one, other in pairs if one != other]
    return Faces(np.stack([unit(one) for one in vectors]), list(range(count)), people, apart)


def _groups(numbers: np.ndarray, names: Sequence[int]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for number, name in zip(numbers.tolist(), names, strict=True):
        groups.setdefault(number, []).append(name)
    return sorted(sorted(group) for group in groups.values())


def _by_definition(faces: Faces) -> list[list[int]]:
    """The most similar pair of all joins, again and again; then strongly linked ones, in the same way."""
    vectors = np.rint(faces.embeddings.astype(float) * STEPS)
    people = faces.people.tolist()
    starts: dict[tuple[str, int], list[int]] = {}
    for one, person in enumerate(people):
        starts.setdefault(("person", person) if person >= 0 else ("face", one), []).append(one)
    clusters = list(starts.values())
    apart = {*faces.apart, *((other, one) for one, other in faces.apart)}

    def similarity(one: list[int], other: list[int]) -> float:
        decided = [{people[face] for face in side} - {-1} for side in (one, other)]
        if all(decided) or any((a, b) in apart for a in one for b in other):
            return -np.inf
        return vectors[one].sum(0) @ vectors[other].sum(0) / (len(one) * len(other)) / STEPS**2

    def link(one: list[int], other: list[int]) -> float:
        return max(vectors[a] @ vectors[b] for a in one for b in other) / STEPS**2

    for lowest_mean, lowest_link in ((SAME, -np.inf), (SAME - FLOOR_MARGIN, SAME + STRONG_MARGIN)):
        while True:
            pairs = [
                (-similarity(one, other), sorted((min(one), min(other))), one, other)
                for place, one in enumerate(clusters)
                for other in clusters[:place]
                if link(one, other) >= lowest_link
            ]
            best = min(pairs, key=lambda pair: pair[:2], default=None)
            if best is None or -best[0] < lowest_mean:
                break
            clusters = [one for one in clusters if one not in best[2:]] + [best[2] + best[3]]
    return sorted(sorted(one) for one in clusters)


@given(seed=st.integers(0, 100_000))
@settings(max_examples=60, deadline=None)
def test_it_is_what_the_definition_says(seed: int) -> None:
    faces = _made(seed)
    assert _groups(cluster(faces, SAME), range(len(faces.keys))) == _by_definition(faces)


def test_the_size_of_blocks_does_not_matter(monkeypatch) -> None:
    monkeypatch.setattr(strong_links, "_BLOCK", 3)
    for seed in range(60):
        faces = _made(seed)
        assert _groups(cluster(faces, SAME), range(len(faces.keys))) == _by_definition(faces)


@given(seed=st.integers(0, 100_000), shuffle=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_faces_does_not_matter(seed: int, shuffle: object) -> None:
    faces = _made(seed)
    order = list(range(len(faces.keys)))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    place = {face: number for number, face in enumerate(order)}
    shuffled = Faces(
        faces.embeddings[order],
        [faces.keys[face] for face in order],
        faces.people[order],
        [(place[one], place[other]) for one, other in faces.apart],
    )
    assert _groups(cluster(shuffled, SAME), order) == _groups(cluster(faces, SAME), range(len(order)))


@pytest.mark.parametrize("noise", [0.4, 0.8])
def test_thousands_of_faces_of_one_person(noise: float) -> None:
    chance = np.random.default_rng(1)
    centre = chance.normal(size=64)
    vectors = centre + noise * chance.normal(size=(1500, 64))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    faces = Faces(vectors.astype(np.float32), chance.permutation(1500).tolist(), np.full(1500, -1))
    assert cluster(faces, 0.3).max() == 0


def _three(first_second: float, first_third: float) -> np.ndarray:
    """Three faces; the second and third have a cosine of 0.7."""
    cosines = np.array([[1, first_second, first_third], [first_second, 1, 0.7], [first_third, 0.7, 1]])
    return np.linalg.cholesky(cosines).astype(np.float32)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize(
    ("first_second", "first_third", "apart", "people", "groups"),
    [
        # What was together stays so when a third comes that is like one of the two: the mean is 0.462.
        (0.589, 0.335, [], [-1, -1, -1], [[0, 1, 2]]),
        # Nobody's faces are as alike as that.
        (0.589, 0.150, [], [-1, -1, -1], [[0], [1, 2]]),
        # No two faces are alike enough.
        (0.550, 0.470, [], [-1, -1, -1], [[0], [1, 2]]),
        # Seen side by side; of two people.
        (0.589, 0.335, [(2, 0)], [-1, -1, -1], [[0], [1, 2]]),
        (0.589, 0.335, [], [0, -1, 1], [[0], [1, 2]]),
    ],
)
def test_a_strong_link_makes_up_for_a_mean(order, first_second, first_third, apart, people, groups) -> None:
    place = {face: number for number, face in enumerate(order)}
    faces = Faces(
        _three(first_second, first_third)[list(order)],
        list(order),
        np.array(people)[list(order)],
        [(place[one], place[other]) for one, other in apart],
    )
    assert _groups(cluster(faces, 0.52), order) == groups


def test_nothing_is_nothing() -> None:
    assert not len(cluster(Faces(np.empty((0, 8), np.float32), [], np.empty(0, np.int64)), SAME))


@pytest.mark.parametrize(
    ("clusters", "pinned", "present", "taken", "people"),
    [
        ([0, 0, 1], [NOBODY] * 3, [5, 5, 5], set(), [5, NOBODY]),
        ([0, 1, 1], [NOBODY] * 3, [5, 5, 5], set(), [NOBODY, 5]),
        ([0, 1], [NOBODY] * 2, [5, 5], set(), [5, NOBODY]),
        ([0, 1], [NOBODY, 5], [5, 5], {5}, [NOBODY, 5]),
        ([0], [NOBODY], [5], {5}, [NOBODY]),
        ([0, 0, 1], [NOBODY] * 3, [5, 6, 5], set(), [5, NOBODY]),
        ([], [], [], set(), []),
    ],
)
def test_who_a_cluster_is(clusters, pinned, present, taken, people) -> None:
    assert assign(clusters, pinned, present, taken) == people
