"""A register that keeps appearances and no people: what identifying tells, without deciding who is who."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from tortoise.transactions import in_transaction

from domain.leases import Lease
from domain.people.models import Appearance
from domain.people.recording import Sighting
from domain.sql import fetch_rows


@dataclass
class FakeRegister:
    """Takes the place of `record_faces`."""

    told: list[list[Sighting]] = field(default_factory=list)
    """What it was told, call by call."""
    forgotten: set[int] = field(default_factory=set)
    """Tracks that it does not take up."""

    async def record_faces(
        self,
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
        assert same_similarity > 0
        async with in_transaction() as connection:
            rows = await fetch_rows(
                "UPDATE analyses SET identified_segments = $1 WHERE id = $2 AND fence = $3 "
                "AND identified_segments = $4 RETURNING owner_id, video_id",
                number + count,
                lease.id,
                lease.fence,
                number,
                connection=connection,
            )
            if not rows:
                return False
            self.told.append(list(sightings))
            taken = [one for one in sightings if one.track_id not in self.forgotten]
            await (
                Appearance.filter(analysis_id=lease.id, track_id__in=[one.track_id for one in taken])
                .using_db(connection)
                .delete()
            )
            owner_id, video_id = (UUID(str(rows[0][name])) for name in ("owner_id", "video_id"))
            for one in taken:
                appearance = Appearance(
                    id=uuid4(),
                    owner_id=owner_id,
                    video_id=video_id,
                    analysis_id=lease.id,
                    track_id=one.track_id,
                    is_final=one.is_final,
                    first_seconds=one.first_seconds,
                    last_seconds=one.last_seconds,
                    similarity=1.0,
                    quality=one.quality,
                    embedding=one.embedding.tobytes(),
                    embedding_model=embedding_model,
                    places=[list(place) for place in one.places],
                    beside=list(one.beside),
                )
                await appearance.save(using_db=connection, force_create=True)
            if is_last:
                await Appearance.filter(analysis_id=lease.id, is_final=False).using_db(connection).delete()
        return True
