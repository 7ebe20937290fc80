"""A register of four people, and photos that are searched by in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from domain.errors import ErrorCode, UserFacingError
from domain.people.face_index.base import AbstractFaceIndex
from settings import Settings
from storage.base import AbstractStorage
from storage.local import LocalStorage
from tasks.people.photo_process import PhotoProcess
from tasks.people.photo_search import PhotoFile, PhotoSearch
from tests.databases import connected
from tests.domain.people.face_index.registers import MODEL, MadeRegister

NAMES = {
    "obama": "obama.jpg",
    "biden": "biden.jpg",
    "miranda": "lin-manuel-miranda.png",
    "lacamoire": "alex-lacamoire.png",
}


async def embedding_of(photos: PhotoSearch, storage: AbstractStorage, data: bytes) -> np.ndarray:
    """What a search compares with the register."""
    found = []

    class Index(AbstractFaceIndex):
        async def search(self, owner_id, embedding_model, vector, limit):
            assert embedding_model == MODEL
            found.append(vector)
            return []

    index, photos._index = photos._index, Index()
    file = PhotoFile(f"uploads/{uuid4()}", len(data))
    await storage.put(file.storage_key, data)
    await photos.search(uuid4(), file, face=None, limit=1)
    await storage.delete(file.storage_key)
    photos._index = index
    return found[0]


class Searched:
    """A register of four people, one photo of each, and what is searched in it."""

    def __init__(self, tmp_path, weights_dir, **changes) -> None:
        self.settings = Settings(data_dir=tmp_path, weights_dir=weights_dir, **changes)
        self.storage = LocalStorage(tmp_path / "files")
        self.process = PhotoProcess(self.settings)
        self.photos = PhotoSearch(self.settings, self.storage, self.process)
        self.names = {}

    async def fill(self, media_dir) -> None:
        self.made = await MadeRegister.make()
        for name, file in NAMES.items():
            vector = await embedding_of(self.photos, self.storage, (media_dir / file).read_bytes())
            person = await self.made.person()
            await self.made.add(vector[None], [person])
            self.names[person] = name

    async def search(self, data: bytes, *, face=None, limit=20, size_bytes=None):
        file = PhotoFile(f"uploads/{uuid4()}", len(data) if size_bytes is None else size_bytes)
        await self.storage.put(file.storage_key, data)
        return await self.photos.search(self.made.owner.id, file, face=face, limit=limit)

    async def best(self, data: bytes, **options) -> tuple[str | None, int, int]:
        """Who it is, if anybody; how many faces there are, and which was looked up."""
        found = await self.search(data, **options)
        first = found.matches[0]
        name = self.names[first.person_id] if first.similarity >= found.same_similarity else None
        return name, len(found.boxes), found.chosen

    async def error(self, data: bytes, **options) -> tuple[ErrorCode, tuple[str, ...], str]:
        with pytest.raises(UserFacingError) as caught:
            await self.search(data, **options)
        return caught.value.code, caught.value.path, caught.value.message


@asynccontextmanager
async def searched_people(directory: Path, media_dir: Path, weights_dir: Path) -> AsyncIterator[Searched]:
    """The register in a database of its own."""
    async with connected(f"sqlite://{directory / 'test.sqlite3'}"):
        made = Searched(directory, weights_dir)
        await made.storage.prepare()
        made.made = await MadeRegister.make("nobody")
        await made.fill(media_dir)
        try:
            yield made
        finally:
            await made.photos.close()
