"""Who is in a photo: a process of its own finds the faces, and one of them is looked up in the register."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from domain.errors import (
    InvalidError,
    LimitExceededError,
    ModelUnavailableError,
    UnsupportedMediaError,
    UserFacingError,
)
from domain.people.face_index.base import AbstractFaceIndex, PersonMatch
from domain.people.face_index.factory import create_face_index
from ml_models.catalog import MLModelSpec
from ml_models.errors import MLModelError
from ml_models.factory import default_model
from settings import Settings
from storage.base import AbstractStorage
from tasks.face_embedding import face_embedding_model
from tasks.people.photo_process import PhotoProcess, TooManyPhotosError
from tasks.process.errors import JobError, ProcessDiedError

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class PhotoFile:
    """A photo that lies in storage; the caller removes it."""

    storage_key: str
    size_bytes: int


@dataclass(frozen=True)
class PhotoMatches:
    """What was found by a photo.

    Attributes:
        width: Of the photo, upright.
        height: Likewise.
        boxes: Of its faces, the largest and most certain first: corners in its pixels.
        confidence: Of each.
        chosen: Which of them was looked up; None: there is no such face as was asked for.
        matches: The persons most like it, the most similar first.
        same_similarity: What faces of one person reach.
    """

    width: int
    height: int
    boxes: Sequence[Box]
    confidence: Sequence[float]
    chosen: int | None
    matches: Sequence[PersonMatch]
    same_similarity: float

    @property
    def refusal(self) -> InvalidError | None:
        """Why no face was looked up."""
        if self.chosen is not None:
            return None
        faces = "1 face" if len(self.boxes) == 1 else f"{len(self.boxes)} faces"
        return InvalidError(f"The photo has {faces}: choose one of them by its number, from 0.", ("face",))


class PhotoSearch:
    """Looks people up by photos; one for a process of the API.

    Args:
        settings: Of this server.
        storage: Where the photos lie.
        process: Where they are looked at; one of its own by default.
    """

    def __init__(
        self, settings: Settings, storage: AbstractStorage, process: PhotoProcess | None = None
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._process = process or PhotoProcess(settings)
        self._index: AbstractFaceIndex | None = None
        self._preparing = asyncio.Lock()

    async def search(self, owner_id: UUID, file: PhotoFile, *, face: int | None, limit: int) -> PhotoMatches:
        """The persons of an account who are most like a face of a photo, named or not.

        Args:
            owner_id: Whose register is searched.
            file: The photo.
            face: Which of its faces; None: the largest and most certain one.
            limit: Most persons.

        Raises:
            InvalidError: This installation does not match faces.
            UnsupportedMediaError: It is no photo, or broken, or shows no face that can be used.
            LimitExceededError: It is too large, or too many are being looked at.
            ModelUnavailableError: A model that it takes is not there.
        """
        check_matching(self._settings)
        if file.size_bytes > self._settings.max_photo_bytes:
            raise too_large(self._settings)
        try:
            detector, embedder = _models(self._settings)
        except MLModelError as error:
            raise ModelUnavailableError(f"Photos cannot be searched by: {error}.") from error
        answer = await self._find_faces(file, face, detector, embedder)
        found = answer.values
        matches: Sequence[PersonMatch] = []
        if found["chosen"] is not None:
            vector = np.frombuffer(answer.blobs[0], "<f4")
            index = await self._face_index()
            matches = await index.search(owner_id, embedder.name, vector, limit)
        return PhotoMatches(
            width=found["width"],
            height=found["height"],
            boxes=[tuple(box) for box in found["boxes"]],
            confidence=found["confidence"],
            chosen=found["chosen"],
            matches=matches,
            same_similarity=embedder.same_similarity or 1.0,
        )

    async def close(self) -> None:
        """End the process."""
        await self._process.close()

    async def _find_faces(
        self, file: PhotoFile, face: int | None, detector: MLModelSpec, embedder: MLModelSpec
    ) -> Any:
        settings = self._settings
        values = {
            "max_pixels": settings.max_photo_pixels,
            "face": face,
            "face_min_pixels": settings.face_min_pixels,
            "face_detector": detector.name,
            "face_embedding_model": embedder.name,
            "weights_dir": str(settings.resolved_weights_dir()),
            "weights_mirror": settings.resolved_weights_mirror(),
        }

        async def read() -> bytes:
            return b"".join([piece async for piece in self._storage.stream(file.storage_key)])

        try:
            return await self._process.find_faces(read, values)
        except JobError as error:
            raise _refusal(error) from error
        except ProcessDiedError as error:
            raise UnsupportedMediaError(
                f"The photo cannot be read: the process that tried {error}. Save it anew as a JPEG and send "
                "it again.",
                ("photo",),
            ) from error
        except TooManyPhotosError as error:
            raise LimitExceededError(
                "Too many photos are being searched by at the moment. Try again in a few seconds.",
                limit="waiting photos",
            ) from error

    async def _face_index(self) -> AbstractFaceIndex:
        async with self._preparing:
            if self._index is None:
                self._index = await create_face_index()
            return self._index


def check_matching(settings: Settings) -> None:
    """Refuse where faces may not become people.

    Raises:
        InvalidError: The setting says so.
    """
    if not settings.face_matching:
        raise InvalidError(
            "Matching faces is switched off on this server (setting FRAMEWISE_FACE_MATCHING).", ("photo",)
        )


def too_large(settings: Settings) -> LimitExceededError:
    """The error of a photo whose file is too large."""
    return LimitExceededError(
        f"The photo is larger than {settings.max_photo_bytes} bytes: make it smaller and send it again.",
        limit="max_photo_bytes",
        path=("photo",),
    )


def _models(settings: Settings) -> tuple[MLModelSpec, MLModelSpec]:
    """What finds faces, and what describes them."""
    detector = default_model(settings.resolved_weights_dir(), settings.resolved_weights_mirror())
    embedder = face_embedding_model(settings)
    if embedder.needs_landmarks and not detector.gives_landmarks:
        raise MLModelError(f"{embedder.name} needs a detector that gives landmarks, such as yunet-2026may")
    return detector, embedder


def _refusal(error: JobError) -> UserFacingError:
    message = str(error)
    if "PhotoTooLargeError" in error.kinds:
        return LimitExceededError(message, limit="max_photo_pixels", path=("photo",))
    if {"PhotoError", "NoFaceError", "FaceTooSmallError"} & set(error.kinds):
        return UnsupportedMediaError(message, ("photo",))
    if "MLModelError" in error.kinds:
        return ModelUnavailableError(f"Photos cannot be searched by: {message}.")
    return UnsupportedMediaError(
        f"The photo cannot be read ({error.kind}): save it anew as a JPEG and send it again.", ("photo",)
    )
