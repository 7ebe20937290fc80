"""Which person each cluster of faces is."""

from collections import Counter
from collections.abc import Sequence

NOBODY = -1


def assign(
    clusters: Sequence[int], pinned: Sequence[int], present: Sequence[int], taken: frozenset[int] | set[int]
) -> list[int]:
    """The person of each cluster; `NOBODY` where it is somebody new.

    A cluster with faces that somebody decided about is their person. Each other one is the person whom most
    of its faces belong to already, as far as no other cluster has a better claim to it.

    Args:
        clusters: Of each face its cluster, in the canonical order of the faces; numbered without gaps.
        pinned: Of each face the person that somebody said it is of, or `NOBODY`.
        present: Of each face the person it belongs to now, or `NOBODY`.
        taken: People whose cluster is one with such faces, here or elsewhere.
    """
    people = [NOBODY] * (max(clusters, default=-1) + 1)
    for cluster, person in zip(clusters, pinned, strict=True):
        if person != NOBODY:
            people[cluster] = person
    votes: Counter[tuple[int, int]] = Counter()
    order: dict[int, int] = {}
    for rank, (cluster, person) in enumerate(zip(clusters, present, strict=True)):
        if person == NOBODY or person in taken:
            continue
        order.setdefault(person, rank)
        if people[cluster] == NOBODY:
            votes[cluster, person] += 1
    given = {person for person in people if person != NOBODY}
    for cluster, person in sorted(votes, key=lambda vote: (-votes[vote], vote[0], order[vote[1]])):
        if people[cluster] == NOBODY and person not in given:
            people[cluster] = person
            given.add(person)
    return people
