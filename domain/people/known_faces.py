"""A copy in memory of the faces of an account, and what new ones change among them.

Clustering looks at everything that is similar to a new face, however old. So each worker keeps the embeddings
that it has read, and reads only what was written since; see `FaceRegister`. A copy is used by whoever holds
the register's lock, and dropped when that fails.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray
from tortoise.backends.base.client import BaseDBAsyncClient

from domain.people.assignment import NOBODY, assign
from domain.people.clustering import Faces, cluster
from domain.people.components import Components
from domain.people.embeddings import joined_embeddings
from domain.people.register import RegisterState
from domain.sql import fetch_rows, stored_json, stored_uuid, stored_uuid_or_none
from storage.cancellation import run_blocking

MARGIN = 1e-3
"""How far below the threshold faces still count as linked: more than embeddings are rounded by."""

MOST_AFFECTED = 8_000
"""Faces that one change looks at. Past that, only people who are similar to changed faces are clustered."""

MAX_FACES = 400_000
"""That all copies of a process hold together; about 250 MB of 128 numbers each."""

_READ = """
SELECT a.id, a.analysis_id, a.track_id, a.person_id, a.is_pinned, a.first_seconds, a.beside, a.embedding,
       v.sha256
FROM appearances a JOIN videos v ON v.id = a.video_id
WHERE a.owner_id = $1 AND a.embedding_model = $2 AND a.version > $3
"""


@dataclass(frozen=True, slots=True)
class Face:
    """A face as the register has it, or is to have it, but for its embedding.

    Attributes:
        id: Of the appearance.
        track: Its analysis and track.
        video_sha256: The content it is seen in.
        first_seconds: When it is first seen.
        beside: Tracks of the same analysis that are other people.
        person_id: Whose it is; None for nobody's yet, or for one that was rejected.
        is_pinned: Whether somebody decided about it.
    """

    id: UUID
    track: tuple[UUID, int]
    video_sha256: str
    first_seconds: float
    beside: tuple[int, ...]
    person_id: UUID | None
    is_pinned: bool

    @property
    def is_rejected(self) -> bool:
        """Whether somebody said that it is none."""
        return self.person_id is None and self.is_pinned


class KnownFaces:
    """The faces of one account that one embedding model described.

    Args:
        same_similarity: The mean cosine from which on faces are one person's.
    """

    def __init__(self, same_similarity: float) -> None:
        self.version = -1
        """Of the register when it was read."""
        self.epoch = -1
        self._threshold = same_similarity
        self._components = Components(same_similarity - MARGIN)
        self._faces: list[Face] = []
        self._embeddings: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._is_node: NDArray[np.bool_] = np.empty(0, bool)
        self._is_pinned: NDArray[np.bool_] = np.empty(0, bool)
        self._person: NDArray[np.int64] = np.empty(0, np.int64)
        self._people: list[UUID] = []
        self._person_number: dict[UUID, int] = {}
        self._place: dict[UUID, int] = {}
        self._place_of_track: dict[tuple[UUID, int], int] = {}

    def __len__(self) -> int:
        return len(self._faces)

    def take(self, faces: Sequence[Face], embeddings: NDArray[np.float32]) -> None:
        """Take over how faces are now; the embeddings, of shape (n, d), are of length 1."""
        is_late = bool(self._faces)
        self._make_room(faces, embeddings.shape[1])
        self._components.grow(len(self._faces), are_late=is_late)
        for face, embedding in zip(faces, embeddings, strict=True):
            place = self._place[face.id]
            was_node = bool(self._is_node[place])
            if is_late and not (was_node and np.array_equal(self._embeddings[place], embedding)):
                self._components.change(place)
            self._embeddings[place] = embedding
            self._set(place, face)

    def change(
        self, changed: Sequence[Face], embeddings: NDArray[np.float32], removed: Iterable[UUID]
    ) -> tuple[dict[UUID, UUID], list[UUID]]:
        """What becomes of the register when faces come, change or go.

        Args:
            changed: New ones, and those that have changed; they are taken over.
            embeddings: Of these, float32 of shape (n, d), of length 1.
            removed: Appearances that are gone.

        Returns:
            The person of each appearance whose person changes or is new, and those of these people that are
            new, in their order.
        """
        seeds = self._before(changed, removed)
        if changed:
            self.take(changed, embeddings)
        seeds += [self._place[face.id] for face in changed if not face.is_rejected]
        if not seeds:
            return {}, []
        return self._apply(self._affected(seeds))

    def _before(self, changed: Sequence[Face], removed: Iterable[UUID]) -> list[int]:
        """Faces around those that change or go, while they are there."""
        places = [self._place[face.id] for face in changed if face.id in self._place]
        gone = [self._place[id_] for id_ in removed if id_ in self._place]
        around = [place for place in (*places, *gone) if self._is_node[place]]
        seeds: list[int] = []
        if around:
            seeds, _ = self._components.around(around, self._embeddings, self._is_node, MOST_AFFECTED)
        self._is_node[gone] = False
        return [place for place in seeds if self._is_node[place]]

    def _affected(self, seeds: Sequence[int]) -> list[int]:
        """Everything that is linked with some faces, whole people only, in canonical order."""
        while True:
            places, is_whole = self._components.around(seeds, self._embeddings, self._is_node, MOST_AFFECTED)
            here = np.asarray([place for place in places if self._is_node[place]], np.int64)
            people = np.setdiff1d(self._person[here], [NOBODY])
            together = np.flatnonzero(self._is_node & np.isin(self._person, people))
            more = np.setdiff1d(together, here)
            if not len(more) or not is_whole:
                return sorted([*here.tolist(), *more.tolist()], key=self._key)
            seeds = [*seeds, *more.tolist()]

    def _key(self, place: int) -> tuple[Any, ...]:
        """What a face is, whenever and by whomever it was recorded."""
        face = self._faces[place]
        return face.video_sha256, face.first_seconds, face.track[1], self._embeddings[place].tobytes()

    def _apply(self, nodes: Sequence[int]) -> tuple[dict[UUID, UUID], list[UUID]]:
        here = np.asarray(nodes, np.int64)
        pinned = np.where(self._is_pinned[here], self._person[here], NOBODY)
        faces = Faces(self._embeddings[here], range(len(nodes)), _numbered(pinned), self._apart(nodes))
        clusters = cluster(faces, self._threshold)
        taken = set(np.unique(self._person[self._is_pinned & self._is_node]).tolist())
        people = assign(clusters.tolist(), pinned.tolist(), self._person[here].tolist(), taken)
        news: list[UUID] = []
        for number, person in enumerate(people):
            if person == NOBODY:
                news.append(uuid4())
                people[number] = self._number_of(news[-1])
        owners = np.asarray(people, np.int64)[clusters]
        moved = np.flatnonzero((owners != self._person[here]) & ~self._is_pinned[here])
        self._person[here[moved]] = owners[moved]
        given = {self._faces[nodes[place]].id: self._people[owners[place]] for place in moved.tolist()}
        return given, news

    def _apart(self, nodes: Sequence[int]) -> list[tuple[int, int]]:
        rank = {place: number for number, place in enumerate(nodes)}
        pairs = []
        for place, number in rank.items():
            face = self._faces[place]
            for track_id in face.beside:
                other = rank.get(self._place_of_track.get((face.track[0], track_id), -1))
                if other is not None:
                    pairs.append((number, other))
        return pairs

    def _make_room(self, faces: Sequence[Face], dimensions: int) -> None:
        news = [face for face in faces if face.id not in self._place]
        if not news:
            return
        for face in news:
            self._place[face.id] = len(self._faces)
            self._faces.append(face)
        fresh = len(self._faces) - len(self._is_node)
        self._embeddings = np.concatenate(
            [self._embeddings.reshape(-1, dimensions), np.zeros((fresh, dimensions), np.float32)]
        )
        self._is_node = np.concatenate([self._is_node, np.zeros(fresh, bool)])
        self._is_pinned = np.concatenate([self._is_pinned, np.zeros(fresh, bool)])
        self._person = np.concatenate([self._person, np.full(fresh, NOBODY)])

    def _set(self, place: int, face: Face) -> None:
        self._faces[place] = face
        self._place_of_track[face.track] = place
        self._is_node[place] = not face.is_rejected
        self._is_pinned[place] = face.is_pinned
        self._person[place] = NOBODY if face.person_id is None else self._number_of(face.person_id)

    def _number_of(self, person_id: UUID) -> int:
        number = self._person_number.setdefault(person_id, len(self._people))
        if number == len(self._people):
            self._people.append(person_id)
        return number


def _numbered(people: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same people with small numbers."""
    numbers = np.full(len(people), NOBODY, np.int64)
    named = people != NOBODY
    numbers[named] = np.unique(people[named], return_inverse=True)[1]
    return numbers


_copies: OrderedDict[tuple[UUID, str, float], KnownFaces] = OrderedDict()


async def known_faces(
    connection: BaseDBAsyncClient,
    owner_id: UUID,
    state: RegisterState,
    embedding_model: str,
    same_similarity: float,
) -> KnownFaces:
    """The faces of an account as they were before this transaction, which holds the register's lock."""
    key = (owner_id, embedding_model, same_similarity)
    copy = _copies.get(key)
    if copy is None or copy.epoch != state.epoch or copy.version >= state.version:
        copy = KnownFaces(same_similarity)
    rows = await fetch_rows(_READ, owner_id, embedding_model, copy.version, connection=connection)
    if rows:
        await run_blocking(_take_rows, copy, rows)
    copy.version, copy.epoch = state.version - 1, state.epoch
    _copies[key] = copy
    _copies.move_to_end(key)
    while len(_copies) > 1 and sum(map(len, _copies.values())) > MAX_FACES:
        _copies.popitem(last=False)
    return copy


def forget_faces(owner_id: UUID) -> None:
    """Drop the copies of an account: they may hold what was not written in the end."""
    for key in [key for key in _copies if key[0] == owner_id]:
        del _copies[key]


def _take_rows(copy: KnownFaces, rows: Sequence[Mapping[str, Any]]) -> None:
    known: dict[str, str] = {}
    copy.take([_face(row, known) for row in rows], joined_embeddings([row["embedding"] for row in rows]))


def _face(row: Mapping[str, Any], known: dict[str, str]) -> Face:
    sha256 = str(row["sha256"])
    return Face(
        id=stored_uuid(row["id"]),
        track=(stored_uuid(row["analysis_id"]), int(row["track_id"])),
        video_sha256=known.setdefault(sha256, sha256),
        first_seconds=float(row["first_seconds"]),
        beside=tuple(stored_json(row["beside"])),
        person_id=stored_uuid_or_none(row["person_id"]),
        is_pinned=bool(row["is_pinned"]),
    )
