"""A register as large as wished, written in a few statements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

from tortoise import connections
from tortoise.models import Model

from domain.analyses.models import Analysis, AnalysisStatus, Tracker
from domain.people.models import Appearance, Person
from domain.people.names import name_key
from domain.videos.models import Video, VideoStatus

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_EMBEDDING_BYTES = 512
_GIVEN = ("Ada", "Grace", "Émilie", "Σοφία", "İrem", "علي", "美咲", "Søren", "O'Neil", "Анна")
_FAMILY = (
    "Lovelace",
    "Hopper",
    "du Châtelet",
    "Κοβαλέφσκαγια",
    "Şahin",
    "حسن",
    "佐藤",
    "Ørsted",
    "Smith-Jones",
    "Ли",
)


@dataclass(frozen=True)
class RegisterSize:
    """How much to write.

    Attributes:
        people: How many people; three of four have a name.
        appearances: How many of each person.
        videos: How many videos, with an analysis each, the appearances are spread over.
    """

    people: int = 10_000
    appearances: int = 5
    videos: int = 500


async def add_people(owner_id: UUID, size: RegisterSize, seed: int = 1) -> list[UUID]:
    """Write videos, analyses, people and appearances of an account; the ids of the people."""
    random = Random(seed)
    videos = [uuid4() for _ in range(size.videos)]
    analyses = [uuid4() for _ in range(size.videos)]
    await insert(Video, (_video(owner_id, video, place) for place, video in enumerate(videos)))
    await insert(
        Analysis,
        (_analysis(owner_id, *ids, place) for place, ids in enumerate(zip(analyses, videos, strict=True))),
    )
    people, seen = [], []
    tracks = [0] * size.videos
    for number in range(size.people):
        person_id, faces = uuid4(), []
        for place in random.choices(range(size.videos), k=size.appearances):
            tracks[place] += 1
            faces.append(
                Appearance(
                    id=uuid4(), owner_id=owner_id, person_id=person_id, video_id=videos[place],
                    analysis_id=analyses[place], track_id=tracks[place],
                    first_seconds=number % 50 + 0.5, last_seconds=number % 50 + 4.25,
                    similarity=0.7, quality=0.8, embedding=random.randbytes(_EMBEDDING_BYTES),
                    embedding_model="sface", places=[[1.0, 2.0, 3.0, 4.0, 5.0]], beside=[], version=number,
                    is_final=True, created_at=_BEGAN + timedelta(seconds=number),
                )
            )  # fmt: skip
        seen += faces
        people.append(_person(owner_id, person_id, number, faces, random))
    await insert(Person, people)
    await insert(Appearance, seen)
    return [person.id for person in people]


async def insert(model: type[Model], rows: Iterable[Model]) -> None:
    """Write new rows as they are, a thousand to a statement."""
    await model.bulk_create(rows, batch_size=1000)
    if connections.get("default").capabilities.dialect == "postgres":
        await connections.get("default").execute_script(f"ANALYZE {model._meta.db_table}")


def _video(owner_id: UUID, video_id: UUID, place: int) -> Video:
    return Video(
        id=video_id, owner_id=owner_id, title=f"Front door, camera {place}", filename=f"door-{place}.mp4",
        storage_key=f"benchmark/{place}", status=VideoStatus.READY, size_bytes=10**7, sha256=f"{place:064}",
        container="mov,mp4", width=1280, height=720, duration_seconds=60.0, has_thumbnail=True,
        created_at=_BEGAN + timedelta(hours=place),
    )  # fmt: skip


def _analysis(owner_id: UUID, analysis_id: UUID, video_id: UUID, place: int) -> Analysis:
    return Analysis(
        id=analysis_id, owner_id=owner_id, video_id=video_id, ml_model="yunet-2026may", frame_stride=1,
        tracker=Tracker.BYTE_TRACK, min_confidence=0.5, create_people=True, status=AnalysisStatus.SUCCEEDED,
        created_at=_BEGAN + timedelta(hours=place),
    )  # fmt: skip


def _person(owner_id: UUID, person_id: UUID, number: int, faces: Sequence[Any], random: Random) -> Person:
    name = f"{random.choice(_GIVEN)} {random.choice(_FAMILY)}" if number % 4 else None
    return Person(
        id=person_id, owner_id=owner_id, full_name=name, name_key=None if name is None else name_key(name),
        cover_appearance_id=faces[0].id if faces else None, appearance_count=len(faces),
        created_at=_BEGAN + timedelta(seconds=number), updated_at=_BEGAN + timedelta(seconds=number),
    )  # fmt: skip
