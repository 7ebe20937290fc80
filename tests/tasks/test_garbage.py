"""Stored files that belong to nothing go, all others stay: on SQLite and PostgreSQL."""

import os
import time
from pathlib import Path
from uuid import uuid4

import pytest

from domain.analyses.models import Analysis, Segment
from domain.videos.models import Video
from ml_models.catalog import find_spec
from storage.local import LocalStorage
from tasks import garbage
from tasks.garbage import remove_unowned, remove_unused_detections
from tasks.results.cache import detections_key
from tests.domain.making import SETTINGS, analyse, keys, make_user, upload

OLD_SECONDS = 1000.0


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "files")


def age(tmp_path: Path, *stored: str) -> None:
    """Make files as old as is needed to go; all of them, if none is named."""
    then = time.time() - OLD_SECONDS - 1
    paths = [tmp_path / "files" / key for key in stored] or (tmp_path / "files").rglob("*")
    for path in paths:
        if path.is_file():
            os.utime(path, (then, then))


async def segment(analysis: Analysis, number: int, plan: dict[str, int]) -> None:
    await Segment.create(id=uuid4(), analysis_id=analysis.id, number=number, plan=plan, frames_total=5)
    await Analysis.filter(id=analysis.id).update(segment_count=number + 1)


def plan_of(number: int) -> dict[str, int]:
    return {"start_pts": number, "end_pts": number + 1, "first_frame_index": number, "frame_count": 1}


def key_of(video: Video, number: int, stride: int = 1) -> str:
    fingerprint = find_spec(SETTINGS.ml_model).fingerprint()
    return detections_key(video.sha256, plan_of(number), stride, fingerprint)


async def test_old_files_without_a_row_go(database, storage, tmp_path, monkeypatch):
    monkeypatch.setattr(garbage, "_BATCH", 3)
    ada = await make_user()
    video = await upload(storage, ada)
    analysis = await analyse(storage, ada, video)
    for key in (f"videos/{video.id}/timeline.npz", f"detections/{video.sha256}/a.parquet", "other/file"):
        await storage.put(key, b"x")
    kept = await keys(storage)
    for number in range(8):
        for key in (f"analyses/{uuid4()}/tracked/{number}", f"videos/{uuid4()}/thumbnail.jpg"):
            await storage.put(key, b"x")
        await storage.put(f"uploads/{uuid4()}", b"x")
        await storage.put(f"detections/{number:064}/a.parquet", b"x")
        await storage.put(f"detections/{number:064}/b.parquet", b"x")
    assert await remove_unowned(storage, OLD_SECONDS) == 0
    age(tmp_path)
    young = {f"analyses/{uuid4()}/result.json", "uploads/young"}
    for key in young:
        await storage.put(key, b"x")
    assert await remove_unowned(storage, OLD_SECONDS) == 32
    assert await keys(storage) == kept | young
    assert await remove_unowned(storage, OLD_SECONDS) == 0
    assert (await Analysis.all().count(), analysis.video_id) == (1, video.id)


async def test_detections_that_an_analysis_reads_stay_and_old_others_go(database, storage, tmp_path):
    ada, bob = await make_user("ada"), await make_user("bob")
    videos = [await upload(storage, owner) for owner in (ada, bob)]
    for number, (owner, video) in enumerate(zip((ada, bob), videos, strict=True)):
        await segment(await analyse(storage, owner, video), 0, plan_of(number))
    content = videos[0]
    used = {key_of(content, 0), key_of(content, 1)}
    unused = {key_of(content, 2), key_of(content, 0, stride=2)}
    for key in used | unused:
        await storage.put(key, b"x")
    assert await remove_unused_detections(storage, OLD_SECONDS) == 0
    age(tmp_path)
    young = key_of(content, 3)
    await storage.put(young, b"x")
    assert await remove_unused_detections(storage, OLD_SECONDS) == 2
    assert {key for key in await keys(storage) if key.startswith("detections")} == used | {young}


async def test_detections_stay_while_it_is_not_known_who_reads_them(database, storage, tmp_path):
    ada = await make_user()
    video = await upload(storage, ada)
    analysis = await analyse(storage, ada, video)
    await storage.put(key_of(video, 7), b"x")
    age(tmp_path)
    assert await remove_unused_detections(storage, OLD_SECONDS) == 0
    await segment(analysis, 0, plan_of(0))
    await Analysis.filter(id=analysis.id).update(ml_model="of-a-package-that-was-removed")
    assert await remove_unused_detections(storage, OLD_SECONDS) == 0
    await Analysis.filter(id=analysis.id).update(ml_model=SETTINGS.ml_model)
    assert await remove_unused_detections(storage, OLD_SECONDS) == 1
