"""The SHA-256 of files that come in several requests."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.uploads.models import Upload
from storage.base import AbstractStorage
from storage.cancellation import run_blocking

_MOST_KEPT = 10_000


@dataclass(frozen=True)
class _Kept:
    fence: int
    offset_bytes: int
    sha256: Any


class ContentHashes:
    """How far the hash of each upload is, while the same process gets all its requests.

    What another process got meanwhile shows by the fence: then the file is read once more in the end.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, _Kept] = OrderedDict()

    def resume(self, upload: Upload) -> Any:
        """The hash of what is stored of an upload that was claimed just now; None if it is not known."""
        if upload.offset_bytes == 0:
            return hashlib.sha256()
        kept = self._kept.get(upload.id)
        if kept is None or (kept.fence, kept.offset_bytes) != (upload.fence - 1, upload.offset_bytes):
            return None
        return kept.sha256.copy()

    def keep(self, upload: Upload, sha256: Any) -> None:
        """Remember the hash of what is stored now; None for one that is not known."""
        self._kept.pop(upload.id, None)
        if sha256 is not None:
            self._kept[upload.id] = _Kept(upload.fence, upload.offset_bytes, sha256)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    def whole(self, upload: Upload) -> Any:
        """The hash of the whole file, all of which is stored; None if it is not known."""
        kept = self._kept.get(upload.id)
        is_same = kept is not None and kept.fence in (upload.fence, upload.fence - 1)
        return kept.sha256 if kept and is_same and kept.offset_bytes == upload.size_bytes else None

    def forget(self, upload: Upload) -> None:
        """The upload has come to its end."""
        self._kept.pop(upload.id, None)


async def hash_stored(storage: AbstractStorage, key: str) -> Any:
    """The hash of a stored file."""
    sha256 = hashlib.sha256()
    async for chunk in storage.stream(key):
        await run_blocking(sha256.update, chunk)
    return sha256


def update_all(hashes: Sequence[Any], pieces: Sequence[bytes]) -> None:
    """Add the pieces to each of the hashes. Blocks."""
    for one in hashes:
        for piece in pieces:
            one.update(piece)
