"""Taking the faces of an analysis into the register."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from domain.analyses.models import Analysis
from domain.leases import Lease
from domain.people.embeddings import joined_embeddings
from domain.people.inheritance import Decisions, Look, read_decisions
from domain.people.journal import let_go, subjects_held
from domain.people.known_faces import Face, KnownFaces, forget_faces, known_faces
from domain.people.models import Appearance, ForgottenFace, Person
from domain.people.register import RegisterState, count_epoch_up, give_appearances, lock_register, recount
from domain.sql import fetch_rows, in_batches, stored_uuid
from domain.videos.models import Video
from storage.cancellation import run_blocking

Place = tuple[float, float, float, float, float]

_WRITTEN = [
    "person_id",
    "is_pinned",
    "is_final",
    "first_seconds",
    "last_seconds",
    "quality",
    "embedding",
    "embedding_model",
    "places",
    "beside",
    "similarity",
    "version",
]


@dataclass(frozen=True)
class Sighting:
    """A face track, as far as it has been followed.

    Attributes:
        track_id: Of the analysis.
        first_seconds: When it is first seen.
        last_seconds: When it is last seen.
        quality: Of its best crop.
        embedding: Mean of its best crops' embeddings, float32 of shape (d,); it is made length 1.
        places: Where it is seen now and then: (timestamp_seconds, x1, y1, x2, y2).
        beside: Tracks of the same analysis seen in the same frames in other places.
        is_final: Whether the track has ended.
    """

    track_id: int
    first_seconds: float
    last_seconds: float
    quality: float
    embedding: NDArray[np.float32]
    places: tuple[Place, ...]
    beside: tuple[int, ...]
    is_final: bool


async def record_faces(
    lease: Lease,
    number: int,
    count: int,
    sightings: Sequence[Sighting],
    *,
    embedding_model: str,
    same_similarity: float,
    like_similarity: float | None = None,
    is_last: bool,
) -> bool:
    """Take the faces of so many tracked segments into the register, in one transaction.

    Whose faces are alike, old and new, is worked out anew; what somebody decided stays. Recording the same
    again changes nothing.

    Args:
        lease: The claim of the analysis.
        number: The first of the segments; nothing is recorded unless it is the next one.
        count: How many segments.
        sightings: The tracks that these segments changed.
        embedding_model: What made the embeddings.
        same_similarity: The mean cosine from which on faces are taken for one person's.
        like_similarity: The cosine that a face has at least to one in the same place of another analysis to
            inherit what was decided about it; None: as `same_similarity`.
        is_last: Whether no segment follows: appearances whose track was never seen to its end are removed.

    Returns:
        False when the claim was lost, and nothing was recorded.
    """
    analysis = await Analysis.get_or_none(id=lease.id)
    video = None if analysis is None else await Video.get_or_none(id=analysis.video_id)
    if analysis is None or video is None:
        return False
    like = same_similarity if like_similarity is None else like_similarity
    recording = _Recording(analysis, video.sha256, embedding_model, same_similarity, like, is_last)
    owner_id = UUID(str(analysis.owner_id))
    try:
        async with in_transaction() as connection:
            state = await lock_register(connection, owner_id)
            if not await _count_on(connection, lease, number, count):
                return await _is_recorded(connection, lease, number + count)
            copy = await recording.take_up(connection, owner_id, state, sightings)
    except BaseException:
        # What the copy took over may not have been written.
        forget_faces(owner_id)
        raise
    copy.version = state.version
    return True


async def _count_on(connection: BaseDBAsyncClient, lease: Lease, number: int, count: int) -> bool:
    rows = await fetch_rows(
        "UPDATE analyses SET identified_segments = $1, attempts = 1 "
        "WHERE id = $2 AND fence = $3 AND identified_segments = $4 RETURNING id",
        number + count,
        lease.id,
        lease.fence,
        number,
        connection=connection,
    )
    return bool(rows)


async def _is_recorded(connection: BaseDBAsyncClient, lease: Lease, number: int) -> bool:
    """Whether this claim did so before, and only the answer was lost."""
    return (
        await Analysis.filter(id=lease.id, fence=lease.fence, identified_segments=number)
        .using_db(connection)
        .exists()
    )


@dataclass
class _Changes:
    """What sightings change of the rows.

    Attributes:
        written: Rows that are new or not the same any more.
        moved: Those of them that clustering looks at.
        unheld: Tracks whose rows go.
        people: Whose appearances come, change or go.
        overruled: Notes of deleted people who are taken up again.
    """

    written: dict[UUID, Appearance] = field(default_factory=dict)
    moved: list[Appearance] = field(default_factory=list)
    removed: list[UUID] = field(default_factory=list)
    people: set[UUID] = field(default_factory=set)
    overruled: set[UUID] = field(default_factory=set)


@dataclass(frozen=True)
class _Recording:
    """The faces of one analysis on their way into the register."""

    analysis: Analysis
    video_sha256: str
    embedding_model: str
    same_similarity: float
    like_similarity: float
    is_last: bool

    async def take_up(
        self,
        connection: BaseDBAsyncClient,
        owner_id: UUID,
        state: RegisterState,
        sightings: Sequence[Sighting],
    ) -> KnownFaces:
        """Write everything that follows from these sightings; the copy that knows it now."""
        copy = await known_faces(connection, owner_id, state, self.embedding_model, self.same_similarity)
        rows = await self._rows(connection, [sighting.track_id for sighting in sightings])
        held = await subjects_held(connection, [row.id for row in rows.values() if row.is_pinned])
        decisions = await read_decisions(
            connection,
            owner_id,
            self.analysis,
            self.video_sha256,
            like_similarity=self.like_similarity,
        )
        changes = _Changes()
        for sighting in sightings:
            self._compare(changes, sighting, rows.get(sighting.track_id), held, decisions)
        if self.is_last:
            finished = [sighting.track_id for sighting in sightings if sighting.is_final]
            await self._remove_unfinished(connection, changes, finished)
        faces = [self._face(row) for row in changes.moved]
        vectors = joined_embeddings([row.embedding for row in changes.moved])
        given, news = await run_blocking(copy.change, faces, vectors, changes.removed)
        await self._write(connection, owner_id, state, changes, given, news)
        if changes.removed:
            copy.epoch = await count_epoch_up(connection, owner_id)
        return copy

    async def _rows(self, connection: BaseDBAsyncClient, track_ids: Collection[int]) -> dict[int, Appearance]:
        rows = await Appearance.filter(analysis_id=self.analysis.id, track_id__in=list(track_ids)).using_db(
            connection
        )
        return {row.track_id: row for row in rows}

    def _compare(
        self,
        changes: _Changes,
        sighting: Sighting,
        row: Appearance | None,
        held: Collection[UUID],
        decisions: Decisions,
    ) -> None:
        if decisions.is_forgotten(sighting.track_id, sighting.places):
            if row is not None:
                _remove(changes, row)
            return
        if sighting.is_final:
            changes.overruled.update(decisions.overruled_by(sighting.places))
        seen = self._seen(sighting)
        look = Look(bytes(seen["embedding"]), self.embedding_model)
        if row is not None and row.id in held and decisions.is_another(row, sighting.places, look):
            # What somebody decided was about another face: it goes with its appearance.
            _remove(changes, row)
            row = None
        if row is None:
            row = Appearance(
                id=uuid4(),
                owner_id=self.analysis.owner_id,
                video_id=self.analysis.video_id,
                analysis_id=self.analysis.id,
                track_id=sighting.track_id,
                similarity=1.0,
            )
            is_moved = is_new = True
        else:
            is_new = False
            is_moved = any(getattr(row, name) != seen[name] for name in _CLUSTERED)
        decided = (row.is_pinned, row.person_id)
        if row.id not in held:
            is_decided, person_id = decisions.of(sighting.places, look)
            if is_decided or row.is_pinned:
                decided = (is_decided, person_id if is_decided else row.person_id)
        is_moved |= decided != (row.is_pinned, row.person_id)
        if is_new or is_moved or any(getattr(row, name) != value for name, value in seen.items()):
            changes.people.update(one for one in (row.person_id, decided[1]) if one is not None)
            row.update_from_dict(seen)
            row.is_pinned, row.person_id = decided
            row.similarity = 0.0 if decided == (True, None) else row.similarity
            changes.written[row.id] = row
            if is_moved:
                changes.moved.append(row)

    def _seen(self, sighting: Sighting) -> dict[str, Any]:
        """The columns that a sighting tells."""
        vector = sighting.embedding.astype(np.float64)
        vector /= max(float(np.linalg.norm(vector)), 1e-12)
        return {
            "is_final": sighting.is_final,
            "first_seconds": float(sighting.first_seconds),
            "last_seconds": float(sighting.last_seconds),
            "quality": float(sighting.quality),
            "embedding": vector.astype("<f4").tobytes(),
            "embedding_model": self.embedding_model,
            "places": [[float(value) for value in place] for place in sighting.places],
            "beside": sorted({int(track_id) for track_id in sighting.beside}),
        }

    def _face(self, row: Appearance) -> Face:
        return Face(
            id=row.id,
            track=(self.analysis.id, row.track_id),
            video_sha256=self.video_sha256,
            first_seconds=row.first_seconds,
            beside=tuple(row.beside),
            person_id=row.person_id,
            is_pinned=row.is_pinned,
        )

    async def _remove_unfinished(
        self, connection: BaseDBAsyncClient, changes: _Changes, finished: Iterable[int]
    ) -> None:
        unfinished = (
            Appearance.filter(analysis_id=self.analysis.id, is_final=False)
            .exclude(track_id__in=list(finished))
            .using_db(connection)
        )
        for row in await unfinished:
            _remove(changes, row)

    async def _write(
        self,
        connection: BaseDBAsyncClient,
        owner_id: UUID,
        state: RegisterState,
        changes: _Changes,
        given: dict[UUID, UUID],
        news: Sequence[UUID],
    ) -> None:
        now = datetime.now(UTC)
        await Person.bulk_create(
            [Person(id=id_, owner_id=owner_id, created_at=now, updated_at=now) for id_ in news],
            using_db=connection,
        )
        others: dict[UUID, list[UUID]] = {}
        for appearance_id, person_id in given.items():
            changes.people.add(person_id)
            row = changes.written.get(appearance_id)
            if row is None:
                others.setdefault(person_id, []).append(appearance_id)
            else:
                row.person_id = person_id
        changes.people |= await _owners_of(connection, [one for ids in others.values() for one in ids])
        await let_go(connection, list(given))
        for person_id, appearance_ids in others.items():
            await give_appearances(connection, appearance_ids, person_id, state.version)
        await Appearance.filter(id__in=changes.removed).using_db(connection).delete()
        if changes.overruled:
            overruled = ForgottenFace.filter(id__in=list(changes.overruled), owner_id=owner_id)
            await overruled.using_db(connection).delete()
        for row in changes.written.values():
            row.version = state.version
        await Appearance.bulk_create(
            list(changes.written.values()),
            on_conflict=["analysis_id", "track_id"],
            update_fields=_WRITTEN,
            using_db=connection,
        )
        await recount(connection, owner_id, changes.people)


_CLUSTERED = ("embedding", "embedding_model", "first_seconds", "beside")
"""The columns that decide, with whose they are, whom faces are taken for."""


def _remove(changes: _Changes, row: Appearance) -> None:
    changes.removed.append(row.id)
    changes.written.pop(row.id, None)
    changes.moved = [moved for moved in changes.moved if moved.id != row.id]
    if row.person_id is not None:
        changes.people.add(row.person_id)


async def _owners_of(connection: BaseDBAsyncClient, appearance_ids: Sequence[UUID]) -> set[UUID]:
    owners: set[UUID] = set()
    for part in in_batches(appearance_ids):
        found = Appearance.filter(id__in=part, person_id__isnull=False).using_db(connection).distinct()
        owners |= {stored_uuid(one) for one in await found.values_list("person_id", flat=True)}
    return owners
