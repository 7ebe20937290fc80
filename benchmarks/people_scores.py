"""How well faces were told apart: found persons beside real ones."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import supervision as sv

from tasks.results.table import SegmentTable
from tests.people_truth import Clip, Face

LEAST_SHARE_OF_MERGE = 0.1
"""Who has at least such a share of their faces in a found person was taken for that one."""

Corners = tuple[float, float, float, float]
Item = tuple[str, bool, Hashable | None]
"""A real face: whose, whether it must be found, and the person it was found to be."""


@dataclass(frozen=True)
class FoundFace:
    """A face that was found in a frame, and whose."""

    frame_index: int
    box: Corners
    person: Hashable


@dataclass(frozen=True)
class PeopleScores:
    """One set of clips.

    Args:
        real: Persons who are to be found.
        found: Persons found, those that are nobody included.
        known: Real persons who have a found person to themselves.
        false_merges: Pairs of real persons that became one.
        nobody: Found persons most of whose faces are no real ones.
        precision: BCubed: of the other faces of the same found person, how many are of the same real one.
        recall: BCubed: of the other faces of the same real person, how many are of the same found one.
    """

    real: int
    found: int
    known: int
    false_merges: int
    nobody: int
    precision: float
    recall: float

    @property
    def person_precision(self) -> float:
        """Share of found persons that are a real one's only or largest."""
        return self.known / self.found if self.found else 1.0

    @property
    def person_recall(self) -> float:
        """Share of real persons who were found."""
        return self.known / self.real if self.real else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the BCubed two."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def tracked_faces(tables: Iterable[bytes], people: Mapping[int, Hashable]) -> list[FoundFace]:
    """The faces of an analysis that are somebody's.

    Args:
        tables: Its tracked segments.
        people: Whose each track is that is an appearance.
    """
    columns = ("frame_index", "track_id", "x1", "y1", "x2", "y2")
    faces = []
    for data in tables:
        table = SegmentTable.from_parquet(data).detections
        for index, track_id, *box in zip(*(table[name].to_pylist() for name in columns), strict=True):
            if track_id in people:
                x1, y1, x2, y2 = box
                faces.append(FoundFace(index, (x1, y1, x2, y2), people[track_id]))
    return faces


def score(clips: Sequence[Clip], found: Mapping[str, Iterable[FoundFace]]) -> PeopleScores:
    """Compare what was found in each clip, by its name, with its truth."""
    items: list[Item] = []
    strays: Counter[Hashable] = Counter()
    for clip in clips:
        matched, others = match(clip, found.get(clip.name, ()))
        items += matched
        strays.update(others)
    return score_items(items, strays)


def match(clip: Clip, found: Iterable[FoundFace]) -> tuple[list[Item], list[Hashable]]:
    """Each real face with who it was found to be, and the persons of faces that are none."""
    by_frame: dict[int, list[FoundFace]] = defaultdict(list)
    for face in found:
        by_frame[face.frame_index].append(face)
    items: list[Item] = []
    strays: list[Hashable] = []
    for index, faces in enumerate(clip.truth):
        persons: dict[int, Hashable] = {}
        for one in by_frame.get(index, ()):
            place = real_face_at(faces, one.box)
            if place is None:
                strays.append(one.person)
            else:
                persons.setdefault(place, one.person)
        items += [(face.person, face.is_clear, persons.get(place)) for place, face in enumerate(faces)]
    return items, strays


def real_face_at(faces: Sequence[Face], box: Corners) -> int | None:
    """Which of the real faces a box shows: its centre lies in it, and it overlaps it most; None if none."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    places = [
        place
        for place, face in enumerate(faces)
        if face.box[0] <= x <= face.box[2] and face.box[1] <= y <= face.box[3]
    ]
    if not places:
        return None
    overlaps = sv.box_iou_batch(np.array([box]), np.array([faces[place].box for place in places]))[0]
    return places[int(overlaps.argmax())]


def score_items(items: Sequence[Item], strays: Mapping[Hashable, int]) -> PeopleScores:
    """The scores of faces, each with its real and its found person.

    BCubed (Amigó and others: A comparison of extrinsic clustering evaluation metrics, 2009). A face that was
    not found shares its person with none; one that need not be found counts only if it was.
    """
    counted = [item for item in items if item[1] or item[2] is not None]
    pairs = Counter((real, person) for real, _, person in counted if person is not None)
    reals = Counter(real for real, *_ in counted)
    persons = Counter(strays)
    for (_, person), count in pairs.items():
        persons[person] += count
    precision = sum(count**2 / persons[person] for (_, person), count in pairs.items())
    precision_of = sum(pairs.values()) + sum(strays.values())
    recall = sum(count**2 / reals[real] for (real, _), count in pairs.items())
    wanted = {real for real, is_clear, _ in items if is_clear}
    main = _main_persons(pairs, strays)
    # A person who is found without having to be is neither asked for nor too many.
    extra = {person for person, real in main.items() if real is not None and real not in wanted}
    return PeopleScores(
        real=len(wanted),
        found=len(persons) - len(extra),
        known=len({real for real in main.values() if real in wanted}),
        false_merges=_false_merges(pairs, reals),
        nobody=sum(real is None for real in main.values()),
        precision=precision / precision_of if precision_of else 1.0,
        recall=recall / sum(reals.values()) if reals else 1.0,
    )


def _main_persons(
    pairs: Mapping[tuple[str, Hashable], int], strays: Mapping[Hashable, int]
) -> dict[Hashable, str | None]:
    """Who each found person is: whose faces are most of its; None if most are nobody's."""
    counts: dict[Hashable, Counter[str | None]] = defaultdict(Counter)
    for (real, person), count in pairs.items():
        counts[person][real] += count
    for person, count in strays.items():
        counts[person][None] += count
    return {person: shares.most_common(1)[0][0] for person, shares in counts.items()}


def _false_merges(pairs: Mapping[tuple[str, Hashable], int], reals: Mapping[str, int]) -> int:
    swallowed: dict[Hashable, set[str]] = defaultdict(set)
    for (real, person), count in pairs.items():
        if count >= LEAST_SHARE_OF_MERGE * reals[real]:
            swallowed[person].add(real)
    return len(
        {
            frozenset((one, other))
            for people in swallowed.values()
            for one in people
            for other in people
            if one < other
        }
    )
