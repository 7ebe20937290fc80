"""Registers with made-up faces."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import numpy as np
from tortoise import connections
from tortoise.transactions import in_transaction

from domain.accounts.models import User
from domain.analyses.models import Analysis
from domain.analyses.service import create_analysis
from domain.people.models import Appearance, FaceRegister, Person
from domain.sql import fetch_rows
from domain.videos.models import Video
from domain.videos.service import NewVideo, create_video
from tests.domain.making import SETTINGS, make_user

MODEL = "mobilefacenet"


def unit(rng: np.random.Generator, count: int, dimensions: int = 128) -> np.ndarray:
    vectors = rng.standard_normal((count, dimensions), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class MadeRegister:
    """The register of a new account, written as those who record faces do."""

    def __init__(self, owner: User, analysis: Analysis) -> None:
        self.owner = owner
        self.analysis = analysis
        self._next_track = 1

    @classmethod
    async def make(cls, name: str = "ada") -> "MadeRegister":
        return await cls.of(await make_user(name))

    @classmethod
    async def of(cls, owner: User) -> "MadeRegister":
        new = NewVideo("clip.mp4", f"uploads/{uuid4()}", 1, uuid4().hex * 2)
        video: Video = await create_video(owner.id, new, max_videos_per_user=10)
        analysis = await create_analysis(owner.id, video, SETTINGS)
        await FaceRegister.create(id=owner.id, owner_id=owner.id)
        return cls(owner, analysis)

    async def person(self) -> UUID:
        return (await Person.create(id=uuid4(), owner_id=self.owner.id)).id

    async def count_up(self, *, epoch: bool = False) -> int:
        rows = await fetch_rows(
            "UPDATE face_registers SET version = version + 1, epoch = epoch + $2 WHERE owner_id = $1 "
            "RETURNING version",
            self.owner.id,
            int(epoch),
        )
        return rows[0]["version"]

    async def add(
        self, vectors: np.ndarray, people: Sequence[UUID | None], model: str = MODEL, per_version: int = 500
    ) -> list[UUID]:
        """Record faces of these people, so many a transaction."""
        ids = []
        for start in range(0, len(vectors), per_version):
            rows = []
            for vector, person in zip(
                vectors[start : start + per_version], people[start : start + per_version], strict=True
            ):
                rows.append(
                    Appearance(
                        id=uuid4(),
                        owner_id=self.owner.id,
                        video_id=self.analysis.video_id,
                        analysis_id=self.analysis.id,
                        track_id=self._next_track,
                        person_id=person,
                        first_seconds=0,
                        last_seconds=1,
                        similarity=1,
                        quality=0.5,
                        embedding=np.asarray(vector, "<f4").tobytes(),
                        embedding_model=model,
                        places=[],
                        beside=[],
                    )
                )
                self._next_track += 1
            async with in_transaction():
                version = await self.count_up()
                for row in rows:
                    row.version = version
                await Appearance.bulk_create(rows)
            ids += [row.id for row in rows]
        return ids

    async def move(self, appearance_id: UUID, person_id: UUID | None) -> None:
        async with in_transaction():
            version = await self.count_up()
            await Appearance.filter(id=appearance_id).update(person_id=person_id, version=version)

    async def remove(self, *appearance_ids: UUID) -> None:
        async with in_transaction():
            await self.count_up(epoch=True)
            await Appearance.filter(id__in=appearance_ids).delete()


def statements() -> "Statements":
    return Statements()


class Statements:
    """Counts the statements of a block."""

    def __enter__(self) -> "Statements":
        self.count = 0
        self._client = connections.get("default")
        self._original = self._client.execute_query_dict

        async def counting(*args, **kwargs):
            self.count += 1
            return await self._original(*args, **kwargs)

        self._client.execute_query_dict = counting
        return self

    def __exit__(self, *_) -> None:
        del self._client.execute_query_dict
