"""An account with a register: faces to record, and what the register looks like."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import numpy as np

from domain.accounts.models import User
from domain.analyses.models import Analysis
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.leases import Lease
from domain.people.models import Appearance, FaceRegister, Person, PersonAnswer
from domain.people.recording import Sighting, record_faces
from domain.videos.models import Video, VideoStatus
from domain.videos.service import NewVideo, create_video

MODEL = "made-up"
SAME = 0.6
DIMENSIONS = 64


def unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def face(identity: int, variant: int = 0, noise: float = 0.35) -> np.ndarray:
    """An embedding of somebody: two of one identity have a cosine of about 0.9, of two about 0."""
    centre = unit(np.random.default_rng(identity).normal(size=DIMENSIONS))
    wobble = unit(np.random.default_rng(1000 * identity + variant + 7).normal(size=DIMENSIONS))
    return unit(centre + noise * wobble)


def between(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    return unit((1 - share) * one + share * other)


def seen(track_id: int, embedding: np.ndarray, **values: object) -> Sighting:
    """A face at a place of its own, seen for two seconds."""
    start = float(values.pop("start", track_id))
    left = 100.0 * track_id
    made = Sighting(
        track_id=track_id,
        first_seconds=start,
        last_seconds=start + 2.0,
        quality=0.5 + 0.01 * (track_id % 10),
        embedding=embedding,
        places=tuple((start + 0.5 * step, left, 0.0, left + 50.0, 50.0) for step in range(4)),
        beside=(),
        is_final=True,
    )
    return replace(made, **values)


@dataclass
class World:
    owner: User

    @classmethod
    async def make(cls, name: str = "ada") -> "World":
        return cls(await User.create(id=uuid4(), username=name, username_key=name, password_hash="x"))

    @property
    def who(self) -> tuple[UUID, UUID]:
        return self.owner.id, self.owner.id

    async def video(self, sha256: str | None = None) -> Video:
        new = NewVideo("clip.mp4", f"uploads/{uuid4()}", 10, sha256 or uuid4().hex * 2)
        video = await create_video(self.owner.id, new, max_videos_per_user=100_000)
        await Video.filter(id=video.id).update(status=VideoStatus.READY)
        return video

    async def analysis(self, video: Video | None = None, **columns: object) -> Lease:
        """An analysis that is claimed."""
        video = video or await self.video()
        await Video.filter(id=video.id).update(status=VideoStatus.READY)
        settings = AnalysisSettings("opencv-haar-face")
        analysis = await create_analysis(self.owner.id, await Video.get(id=video.id), settings)
        await Analysis.filter(id=analysis.id).update(fence=1, **columns)
        return Lease("analyses", analysis.id, 1, 1)

    async def record(
        self,
        lease: Lease,
        sightings: Sequence[Sighting],
        number: int = 0,
        *,
        is_last: bool = True,
        model: str = MODEL,
        count: int = 1,
    ) -> bool:
        return await record_faces(
            lease,
            number,
            count,
            sightings,
            embedding_model=model,
            same_similarity=SAME,
            is_last=is_last,
        )

    async def see(self, *embeddings: np.ndarray, sha256: str | None = None) -> list[Appearance]:
        """A new video that shows these faces one after the other."""
        lease = await self.analysis(await self.video(sha256))
        sightings = [seen(number, embedding) for number, embedding in enumerate(embeddings)]
        assert await self.record(lease, sightings)
        return await Appearance.filter(analysis_id=lease.id).order_by("track_id")

    async def groups(self) -> set[frozenset[tuple[UUID, int]]]:
        """Which tracks are one person's."""
        members: dict[UUID, set[tuple[UUID, int]]] = {}
        for one in await Appearance.filter(owner_id=self.owner.id).exclude(person_id=None):
            members.setdefault(one.person_id, set()).add((one.analysis_id, one.track_id))
        return {frozenset(group) for group in members.values()}

    async def snapshot(self) -> dict[str, object]:
        """All that the register says, but for when it was last changed."""
        people = await Person.filter(owner_id=self.owner.id)
        appearances = await Appearance.filter(owner_id=self.owner.id)
        answers = await PersonAnswer.filter(owner_id=self.owner.id)
        return {
            "people": {
                one.id: (
                    one.full_name,
                    one.name_key,
                    one.birth_date,
                    one.sex,
                    one.profile_appearance_id,
                    one.cover_appearance_id,
                    one.is_held,
                    one.appearance_count,
                    one.created_at,
                )
                for one in people
            },
            "appearances": {
                one.id: (one.person_id, one.is_pinned, one.similarity, one.is_final, one.embedding)
                for one in appearances
            },
            "answers": {(one.id, one.first_person_id, one.second_person_id) for one in answers},
        }

    async def check(self) -> None:
        """What must hold whatever happens."""
        people = {one.id: one for one in await Person.filter(owner_id=self.owner.id)}
        appearances = await Appearance.filter(owner_id=self.owner.id)
        own: dict[UUID, list[Appearance]] = {id_: [] for id_ in people}
        for one in appearances:
            if one.person_id is None:
                assert one.is_pinned, "an appearance is somebody's or rejected"
                assert one.similarity == 0
            else:
                own[one.person_id].append(one)
        for id_, person in people.items():
            assert person.appearance_count == len(own[id_])
            assert person.is_held or own[id_], "automatic people have appearances"
            assert person.is_held or not any(one.is_pinned for one in own[id_])
            if own[id_]:
                assert person.cover_appearance_id == self._cover(person, own[id_]).id
            else:
                assert person.cover_appearance_id is None
        for answer in await PersonAnswer.filter(owner_id=self.owner.id):
            assert answer.first_person_id in people
            assert answer.second_person_id in people
        register = await FaceRegister.get_or_none(id=self.owner.id)
        assert register is None or all(one.version <= register.version for one in appearances)

    def _cover(self, person: Person, own: list[Appearance]) -> Appearance:
        chosen = [one for one in own if one.id == person.profile_appearance_id]
        best = max(one.quality for one in own)
        return (
            chosen[0]
            if chosen
            else min((one for one in own if one.quality == best), key=lambda one: (one.first_seconds, one.id))
        )
