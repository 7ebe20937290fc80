"""Deleting analyses and videos: rows, events, files, running work. On SQLite and PostgreSQL."""

import asyncio

import pytest

from domain import content_deletion as deletion
from domain.analyses.advances import claim_advance, plan_segments, release_advance
from domain.analyses.claims import claim_segment, finish_segment, record_segment_progress
from domain.analyses.models import Analysis, LabelTotal, Segment
from domain.analyses.service import create_analysis
from domain.content_deletion import delete_analysis, delete_video
from domain.errors import NotFoundError
from domain.events import Event, EventKind
from domain.removals import Removal, process_removals
from domain.videos.models import Video, VideoStatus
from tests.domain.making import SETTINGS, analyse, down, events, keys, make_user, upload

LATE = 60.0


async def planned(storage, owner, segments=2):
    video = await upload(storage, owner)
    await Video.filter(id=video.id).update(status=VideoStatus.READY)
    analysis = await analyse(storage, owner, video)
    claimed = await claim_advance(owner.id, 30)
    assert claimed is not None
    plans = [({"number": number, "start_pts": 5 * number}, 5) for number in range(segments)]
    assert await plan_segments(claimed[0], plans, 5 * segments)
    assert await release_advance(claimed[0], due=False)
    return video, analysis


async def test_a_video_goes_with_everything_and_tells_of_it(database, storage):
    ada = await make_user()
    video, analysis = await planned(storage, ada)
    other = await upload(storage, ada, b"other")
    await storage.put(f"videos/{video.id}/thumbnail.jpg", b"x")
    await delete_video(storage, ada.id, video.id, late_write_seconds=LATE)
    assert await keys(storage) == {other.storage_key}
    for table in (Analysis, Segment):
        assert await table.all().count() == 0
    assert [row.id for row in await Video.all()] == [other.id]
    last = await Event.filter(owner_id=ada.id).order_by("-number").limit(2)
    assert [(event.kind, event.video_id, event.analysis_id) for event in last] == [
        (EventKind.VIDEO_DELETED, video.id, None),
        (EventKind.ANALYSIS_DELETED, video.id, analysis.id),
    ]
    prefixes = {removal.prefix for removal in await Removal.all()}
    assert prefixes == {
        f"videos/{video.id}",
        f"analyses/{analysis.id}",
        video.storage_key,
        f"detections/{video.sha256}",
    }


async def test_an_analysis_goes_and_its_video_and_detections_stay(database, storage):
    ada = await make_user()
    video, analysis = await planned(storage, ada)
    detections = f"detections/{video.sha256}/x.parquet"
    await storage.put(detections, b"x")
    await delete_analysis(storage, ada.id, analysis.id, late_write_seconds=LATE)
    assert await keys(storage) == {video.storage_key, detections}
    assert await Segment.all().count() == 0
    assert (await events(ada.id))[-1] == "ANALYSIS_DELETED"
    with pytest.raises(NotFoundError):
        await delete_analysis(storage, ada.id, analysis.id, late_write_seconds=LATE)


async def test_others_cannot_delete(database, storage):
    ada, bob = await make_user("ada"), await make_user("bob")
    video, analysis = await planned(storage, ada)
    before = await keys(storage)
    with pytest.raises(NotFoundError):
        await delete_video(storage, bob.id, video.id, late_write_seconds=LATE)
    with pytest.raises(NotFoundError):
        await delete_analysis(storage, bob.id, analysis.id, late_write_seconds=LATE)
    assert await keys(storage) == before
    assert await Segment.all().count() == 2


async def test_of_two_deletions_at_once_one_finds_it(database, storage):
    ada = await make_user()
    for _ in range(5):
        video = await upload(storage, ada)
        done = await asyncio.gather(
            *(delete_video(storage, ada.id, video.id, late_write_seconds=LATE) for _ in range(3)),
            return_exceptions=True,
        )
        assert sorted(type(one).__name__ for one in done) == ["NoneType", "NotFoundError", "NotFoundError"]
    assert (await events(ada.id)).count("VIDEO_DELETED") == 5


async def test_running_work_finds_its_claim_gone(database, storage):
    ada = await make_user()
    _, analysis = await planned(storage, ada)
    claimed = await claim_segment(30)
    assert claimed is not None
    await delete_analysis(storage, ada.id, analysis.id, late_write_seconds=LATE)
    assert not await record_segment_progress(claimed.lease, 1, {"face": 1}, 30)
    assert not await finish_segment(claimed.lease, 5, {"face": 1})
    assert await LabelTotal.all().count() == 0
    assert await claim_segment(30) is None


async def test_a_worker_that_writes_late_brings_no_file_back(database, storage):
    ada = await make_user()
    video, analysis = await planned(storage, ada)
    await delete_video(storage, ada.id, video.id, late_write_seconds=LATE)
    for key in (f"analyses/{analysis.id}/result.json", f"detections/{video.sha256}/x.parquet"):
        await storage.put(key, b"late")
    await Removal.all().update(due_at=0, final_at=0)
    await process_removals(storage)
    assert (await keys(storage), await Removal.all().count()) == (set(), 0)


async def test_detections_that_came_back_with_another_upload_stay(database, storage):
    ada = await make_user()
    video, _ = await planned(storage, ada)
    await delete_video(storage, ada.id, video.id, late_write_seconds=LATE)
    again = await upload(storage, ada)
    detections = f"detections/{video.sha256}/x.parquet"
    await storage.put(detections, b"computed anew")
    await Removal.all().update(due_at=0, final_at=0)
    await process_removals(storage)
    assert await keys(storage) == {again.storage_key, detections}


async def test_a_storage_that_is_down_does_not_keep_the_video(database, storage):
    ada = await make_user()
    video, _ = await planned(storage, ada)
    async with down(storage):
        await delete_video(storage, ada.id, video.id, late_write_seconds=LATE)
    assert await Video.all().count() == 0
    assert await keys(storage) != set()
    await Removal.all().update(due_at=0)
    await process_removals(storage)
    assert await keys(storage) == set()


async def test_many_analyses_go_in_batches(database, storage, monkeypatch):
    monkeypatch.setattr(deletion, "BATCH", 4)
    ada = await make_user()
    video = await upload(storage, ada)
    for _ in range(11):
        await analyse(storage, ada, video)
    sizes = []
    carry_out = deletion._Deletion.carry_out

    async def counted(self):
        before = await Analysis.all().count()
        noted = await carry_out(self)
        sizes.append(before - await Analysis.all().count())
        return noted

    monkeypatch.setattr(deletion._Deletion, "carry_out", counted)
    await delete_video(storage, ada.id, video.id, late_write_seconds=LATE)
    assert sizes == [4, 4, 3]
    assert (await events(ada.id))[-12:] == ["ANALYSIS_DELETED"] * 11 + ["VIDEO_DELETED"]
    assert await keys(storage) == set()


async def test_analyses_started_while_their_video_goes_leave_nothing(database, storage):
    ada = await make_user()
    for _ in range(8):
        video = await upload(storage, ada)
        await Video.filter(id=video.id).update(status=VideoStatus.READY)
        outcomes = await asyncio.gather(
            *(create_analysis(ada.id, video, SETTINGS) for _ in range(3)),
            delete_video(storage, ada.id, video.id, late_write_seconds=LATE),
            return_exceptions=True,
        )
        assert outcomes[-1] is None
        assert {type(one) for one in outcomes[:-1]} <= {Analysis, NotFoundError}
    assert await Analysis.all().count() == 0
    history = await events(ada.id)
    assert history.count("ANALYSIS_QUEUED") == history.count("ANALYSIS_DELETED")


async def test_workers_and_deletions_do_not_stop_each_other(database, storage):
    """Claims, progress and ends of segments while their analyses are deleted: nothing fails, nothing stays."""
    ada = await make_user()

    async def work():
        while (claimed := await claim_segment(30)) is not None:
            await record_segment_progress(claimed.lease, 1, {"face": 1}, 30)
            await finish_segment(claimed.lease, 5, {"face": 2, "cat": 1})

    for _ in range(4):
        videos = [(await planned(storage, ada, segments=6))[0] for _ in range(3)]
        await asyncio.gather(
            work(),
            work(),
            *(delete_video(storage, ada.id, one.id, late_write_seconds=LATE) for one in videos),
        )
        for table in (Analysis, Segment, LabelTotal, Video):
            assert await table.all().count() == 0
