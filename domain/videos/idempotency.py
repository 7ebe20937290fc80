"""Uploads that are repeated because their answer was lost: the same key and files make no new videos."""

from dataclasses import dataclass
from typing import TypedDict
from uuid import UUID

from domain.errors import IdempotencyMismatchError
from domain.videos.models import Video


@dataclass(frozen=True)
class UploadKey:
    """One file of an upload that has an idempotency key."""

    key: str
    index: int
    """Which file it is, from 0."""
    fingerprint: str
    """Equal for equal uploads, as a whole."""
    otherwise: str = "other files or settings"
    """What it was used with before, if that was not the same."""


class _Columns(TypedDict):
    idempotency_key: str | None
    idempotency_index: int | None
    idempotency_hash: str | None


def columns_of(upload_key: UploadKey | None) -> _Columns:
    """What is kept of the key with the video."""
    if upload_key is None:
        return {"idempotency_key": None, "idempotency_index": None, "idempotency_hash": None}
    return {
        "idempotency_key": upload_key.key,
        "idempotency_index": upload_key.index,
        "idempotency_hash": upload_key.fingerprint,
    }


async def find_upload(owner_id: UUID, upload_key: UploadKey | None) -> Video | None:
    """The video that this file of this upload became when it was sent before.

    Raises:
        IdempotencyMismatchError: The key was used for another upload.
    """
    if upload_key is None:
        return None
    of_key = Video.filter(owner_id=owner_id, idempotency_key=upload_key.key)
    if await of_key.exclude(idempotency_hash=upload_key.fingerprint).exists():
        raise IdempotencyMismatchError(
            f"This idempotencyKey was used before with {upload_key.otherwise}: use a new key.",
            path=("idempotency_key",),
        )
    return await of_key.get_or_none(idempotency_index=upload_key.index)
