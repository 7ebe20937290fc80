"""What was decided about a face holds for it in other analyses of the same video as well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from tortoise.backends.base.client import BaseDBAsyncClient

from domain.analyses.models import Analysis
from domain.people.models import Appearance, ForgottenFace
from domain.sql import fetch_rows

LEAST_OVERLAP = 0.3
"""Intersection over union from which on two boxes at one time are the same face."""

_Places = Sequence[Sequence[float]]
_Boxes = dict[float, Sequence[float]]


@dataclass(frozen=True)
class Look:
    """What a face looks like.

    Attributes:
        embedding: float32, little-endian, of length 1.
        model: What made it: only those of one model are compared.
    """

    embedding: bytes
    model: str

    def similarity(self, other: "Look") -> float | None:
        """Their cosine; None where they cannot be compared."""
        if self.model != other.model or len(self.embedding) != len(other.embedding):
            return None
        one, two = (np.frombuffer(each.embedding, "<f4").astype(np.float64) for each in (self, other))
        return float(np.dot(one, two))


@dataclass(frozen=True)
class Decided:
    """A face that somebody decided about.

    Attributes:
        boxes: Where it is seen.
        person_id: Whose it is; None: it is no face.
        look: What it looks like.
    """

    boxes: _Boxes
    person_id: UUID | None
    look: Look


@dataclass(frozen=True)
class Decisions:
    """What was decided about faces of a video's content.

    Attributes:
        known: Faces that somebody decided about.
        forgotten: Places of people who were deleted.
        forgotten_tracks: Those that this analysis itself had found, while it may go on with their tracks.
        overruled: Places of people who were deleted before this analysis was asked to take them up again.
        like_similarity: The cosine from which on two faces may be one person's.
    """

    known: Sequence[Decided]
    forgotten: Sequence[_Boxes]
    forgotten_tracks: Mapping[int, Sequence[_Boxes]] = field(default_factory=dict)
    overruled: Mapping[UUID, _Boxes] = field(default_factory=dict)
    like_similarity: float = 0.0

    def is_forgotten(self, track_id: int, places: _Places) -> bool:
        """Whether a face in these places is not to be taken up."""
        boxes = _boxes(places)
        if any(_agreement(boxes, forgotten) > 0 for forgotten in self.forgotten):
            return True
        # Of a track that went on, other places may be known by now: its number tells, and when it was seen.
        last = max(boxes, default=0.0)
        return any(min(seen, default=0.0) <= last for seen in self.forgotten_tracks.get(track_id, ()))

    def of(self, places: _Places, look: Look) -> tuple[bool, UUID | None]:
        """Whether something was decided about such a face there, and whose it is; None: it is no face.

        A track may have gone over to another person, so the place alone does not tell. Where the looks cannot
        be compared, it does. The most similar face is taken, else the one that is most in the same places.
        """
        boxes = _boxes(places)
        best, person_id = (-2.0, 0.0), None
        for one in self.known:
            agreement = _agreement(boxes, one.boxes)
            similarity = look.similarity(one.look)
            if similarity is not None and similarity < self.like_similarity:
                continue
            rank = (-1.5 if similarity is None else similarity, agreement)
            if agreement > 0 and rank > best:
                best, person_id = rank, one.person_id
        return best[1] > 0, person_id

    def overruled_by(self, places: _Places) -> list[UUID]:
        """Those who were deleted and are taken up again with a face in these places."""
        boxes = _boxes(places)
        return [id_ for id_, others in self.overruled.items() if _agreement(boxes, others) > 0]

    def is_another(self, appearance: Appearance, places: _Places, look: Look) -> bool:
        """Whether an appearance's track number stands for another face now: elsewhere, and not alike.

        A track that goes on is where it was, even if it comes to look otherwise.
        """
        similarity = look.similarity(look_of(appearance))
        if similarity is None or similarity >= self.like_similarity:
            return False
        return _agreement(_boxes(places), _boxes(appearance.places)) == 0


async def read_decisions(
    connection: BaseDBAsyncClient,
    owner_id: UUID,
    analysis: Analysis,
    sha256: str,
    *,
    like_similarity: float,
) -> Decisions:
    """What was decided about faces that other analyses found in this content.

    Args:
        connection: The transaction that holds the register's lock.
        owner_id: Whose register it is.
        analysis: The analysis that is to inherit; it tells whether deleted people are taken up again.
        sha256: The content.
        like_similarity: The cosine from which on two faces may be one person's.
    """
    rows = await fetch_rows(
        "SELECT a.id FROM appearances a JOIN videos v ON v.id = a.video_id WHERE v.sha256 = $1 "
        "AND v.owner_id = $2 AND a.owner_id = $2 AND a.is_pinned = $3 AND a.analysis_id <> $4",
        sha256,
        owner_id,
        True,
        analysis.id,
        connection=connection,
    )
    decided = await (
        Appearance.filter(id__in=[row["id"] for row in rows])
        .using_db(connection)
        .order_by("first_seconds", "track_id", "id")
        .only("id", "person_id", "places", "embedding", "embedding_model")
        if rows
        else _nothing()
    )
    forgotten = await ForgottenFace.filter(owner_id=owner_id, video_sha256=sha256).using_db(connection)
    tracks: dict[int, list[_Boxes]] = {}
    for one in forgotten:
        if one.track_id is not None and one.analysis_id == analysis.id:
            tracks.setdefault(one.track_id, []).append(_boxes(one.places))
    # Who was deleted after the analysis was asked for was not meant by it.
    overruled = [
        one
        for one in forgotten
        if analysis.recreates_people
        and one.analysis_id != analysis.id
        and one.created_at <= analysis.created_at
    ]
    return Decisions(
        [Decided(_boxes(one.places), one.person_id, look_of(one)) for one in decided],
        [] if analysis.recreates_people else [_boxes(one.places) for one in forgotten],
        tracks,
        {one.id: _boxes(one.places) for one in overruled},
        like_similarity,
    )


def look_of(appearance: Appearance) -> Look:
    """What the face of an appearance looks like."""
    return Look(bytes(appearance.embedding), appearance.embedding_model)


async def _nothing() -> list[Appearance]:
    return []


def _boxes(places: _Places) -> _Boxes:
    return {round(place[0], 3): place[1:] for place in places}


def _agreement(one: _Boxes, other: _Boxes) -> float:
    """Sum of the overlaps, if the boxes overlap at most of the times at which both are seen; else 0.

    Places of a long track lie far apart: between two of them a face is taken to move evenly.
    """
    if not one or not other:
        return 0.0
    first, last = max(min(one), min(other)), min(max(one), max(other))
    times = {time for time in (*one, *other) if first <= time <= last}
    overlaps = [_overlap(_box_at(one, time), _box_at(other, time)) for time in sorted(times)]
    same = [overlap for overlap in overlaps if overlap >= LEAST_OVERLAP]
    return sum(same) if 2 * len(same) > len(overlaps) else 0.0


def _box_at(boxes: _Boxes, time: float) -> Sequence[float]:
    """The box at a time between the first and the last one."""
    if time in boxes:
        return boxes[time]
    before = max(each for each in boxes if each < time)
    after = min(each for each in boxes if each > time)
    share = (time - before) / (after - before)
    return [start + share * (end - start) for start, end in zip(boxes[before], boxes[after], strict=True)]


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (_area(one) + _area(other) - common)


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
