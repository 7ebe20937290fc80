"""Accounts, stored files and videos for tests of the domain."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from domain.accounts.models import User
from domain.accounts.passwords import hash_password
from domain.analyses.models import Analysis
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.events import Event
from domain.videos.idempotency import UploadKey
from domain.videos.models import Video
from domain.videos.service import NewVideo, create_video
from storage.base import AbstractStorage
from storage.errors import StorageUnavailableError
from storage.local import LocalStorage

PASSWORD = "correct horse"
SETTINGS = AnalysisSettings("opencv-haar-face")


async def make_user(name: str = "ada") -> User:
    return await User.create(
        id=uuid4(), username=name, username_key=name, password_hash=await hash_password(PASSWORD)
    )


async def upload(
    storage: AbstractStorage, owner: User, data: bytes = b"a video", upload_key: UploadKey | None = None
) -> Video:
    """What the edge does with a file: store, register, drop what is not needed."""
    new = NewVideo("clip.mp4", f"uploads/{uuid4()}", len(data), hashlib.sha256(data).hexdigest())
    await storage.put(new.storage_key, data)
    video = await create_video(owner.id, new, max_videos_per_user=10_000, upload_key=upload_key)
    if video.storage_key != new.storage_key:
        await storage.delete(new.storage_key)
    return video


async def analyse(storage: AbstractStorage, owner: User, video: Video) -> Analysis:
    """An analysis with a file."""
    analysis = await create_analysis(owner.id, video, SETTINGS)
    await storage.put(f"analyses/{analysis.id}/result.json", b"{}")
    return analysis


async def keys(storage: AbstractStorage) -> set[str]:
    return {key async for key in storage.list()}


async def events(owner_id: UUID) -> list[str]:
    return [event.kind.value for event in await Event.filter(owner_id=owner_id).order_by("number")]


class FailingStorage(LocalStorage):
    """Cannot be reached while it `is_down`."""

    is_down = False

    async def delete(self, key: str) -> None:
        self._check()
        await super().delete(key)

    async def delete_prefix(self, prefix: str) -> None:
        self._check()
        await super().delete_prefix(prefix)

    def _check(self) -> None:
        if self.is_down:
            raise StorageUnavailableError("The storage does not answer.")


@asynccontextmanager
async def down(storage: FailingStorage) -> AsyncIterator[None]:
    storage.is_down = True
    yield
    storage.is_down = False
