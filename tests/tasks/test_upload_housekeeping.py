"""What became of uploads that nobody goes on with: on SQLite and PostgreSQL."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from domain.uploads.hashing import ContentHashes
from domain.uploads.models import Upload
from domain.uploads.service import NewUpload, UploadLimits, claim_upload, create_upload
from domain.uploads.writing import writing_to
from settings import Settings
from storage.local import LocalStorage
from tasks.housekeeping import keep_house, remove_deleted
from tests.domain.making import make_user

LIMITS = UploadLimits(1000, 100, 100, 0, 3600.0)
TWO_DAYS_SECONDS = 2 * 86400


async def begin(storage: LocalStorage, owner: Any, data: bytes, size_bytes: int = 6) -> Upload:
    upload = await create_upload(storage, owner.id, NewUpload("clip.mp4", size_bytes), LIMITS)
    assert await claim_upload(upload) is not None
    async with writing_to(storage, upload, LIMITS, ContentHashes()) as writer:
        await writer.write([data])
    return upload


def age(folder: Path) -> None:
    then = time.time() - TWO_DAYS_SECONDS
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


async def test_expired_uploads_go_and_others_stay_however_old(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    storage, owner = LocalStorage(folder), await make_user()
    await storage.prepare()
    runtime: Any = SimpleNamespace(settings=Settings(data_dir=tmp_path), storage=storage)
    open_one = await begin(storage, owner, b"123")
    expired = await begin(storage, owner, b"456")
    whole = await begin(storage, owner, b"123456")  # its video could not be made yet
    whole_expired = await begin(storage, owner, b"654321")
    nobodys = f"uploads/{uuid4()}"
    async with storage.appender(nobodys) as appender:
        await appender.write([b"x"])
    await Upload.filter(id__in=[expired.id, whole_expired.id]).update(expires_at=datetime.now(UTC))
    age(folder)
    await keep_house(runtime)
    await remove_deleted(runtime)
    assert {upload.id for upload in await Upload.all()} == {open_one.id, whole.id}
    partial = {path.name for path in (folder / ".partial" / "uploads").iterdir() if path.name[0] != "."}
    assert partial == {str(open_one.id)}
    assert [key async for key in storage.list()] == [whole.storage_key]
    assert await claim_upload(open_one) is not None
    async with writing_to(storage, open_one, LIMITS, ContentHashes()) as writer:
        await writer.write([b"456"])
    assert await storage.get(str(open_one.storage_key)) == b"123456"
