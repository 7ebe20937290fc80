"""Claims, fencing, fairness, totals: on SQLite and PostgreSQL."""

import asyncio
from collections import Counter
from uuid import UUID, uuid4

import pytest

from domain.accounts.models import User
from domain.analyses import claims
from domain.analyses.models import Analysis, AnalysisStatus, LabelTotal, Segment, SegmentStatus, Track
from domain.analyses.progress import ProgressSnapshot, take_snapshot
from domain.analyses.service import AnalysisSettings, change_status, create_analysis
from domain.analyses.tracks import TrackSummary, record_tracked_segment
from domain.analyses.transitions import Action
from domain.errors import ConflictError, IdempotencyMismatchError, NotFoundError
from domain.videos.models import Video, VideoStatus
from domain.videos.service import NewVideo, create_video

LEASE_SECONDS = 30.0
SETTINGS = AnalysisSettings("opencv-haar-face")


async def make_user(name: str = "ada") -> User:
    return await User.create(username=name, username_key=name, password_hash="x")


async def make_video(owner: User) -> Video:
    new = NewVideo("clip.mp4", f"uploads/{uuid4()}", 10, "ab" * 32)
    video = await create_video(owner.id, new, max_videos_per_user=100)
    await Video.filter(id=video.id).update(status=VideoStatus.READY, time_base="1/10", average_fps=10.0)
    return await Video.get(id=video.id)


async def make_analysis(owner: User, segments: int = 2, *, priority: int = 0) -> Analysis:
    analysis = await create_analysis(owner.id, await make_video(owner), SETTINGS)
    await Analysis.filter(id=analysis.id).update(priority=priority)
    claimed = await claims.claim_advance(LEASE_SECONDS)
    assert claimed is not None
    lease, _ = claimed
    assert lease.id == analysis.id
    plans = [({"number": number, "start_pts": 5 * number}, 5) for number in range(segments)]
    assert await claims.plan_segments(lease, plans, 5 * segments)
    assert await claims.release_advance(lease, due=False)
    return await Analysis.get(id=analysis.id)


async def claim() -> claims.ClaimedSegment:
    claimed = await claims.claim_segment(LEASE_SECONDS)
    assert claimed is not None
    return claimed


async def test_nobody_advances_an_analysis_before_its_video_is_probed(database: str) -> None:
    owner = await make_user()
    video = await make_video(owner)
    await Video.filter(id=video.id).update(status=VideoStatus.PROBING)
    await create_analysis(owner.id, video, SETTINGS)
    assert await claims.claim_advance(LEASE_SECONDS) is None
    await Video.filter(id=video.id).update(status=VideoStatus.READY)
    assert await claims.claim_advance(LEASE_SECONDS) is not None
    assert await claims.claim_advance(LEASE_SECONDS) is None


async def test_each_segment_is_claimed_once_and_in_order(database: str) -> None:
    analysis = await make_analysis(await make_user(), segments=3)
    claimed = [await claim() for _ in range(3)]
    assert [one.segment.number for one in claimed] == [0, 1, 2]
    assert await claims.claim_segment(LEASE_SECONDS) is None
    assert (await Analysis.get(id=analysis.id)).status == AnalysisStatus.RUNNING


async def test_concurrent_claims_never_take_the_same_segment(database: str) -> None:
    await make_analysis(await make_user(), segments=12)
    claimed = await asyncio.gather(*(claims.claim_segment(LEASE_SECONDS) for _ in range(12)))
    numbers = [one.segment.number for one in claimed if one is not None]
    assert len(numbers) == len(set(numbers))
    while (one := await claims.claim_segment(LEASE_SECONDS)) is not None:
        numbers.append(one.segment.number)
    assert sorted(numbers) == list(range(12))


async def test_each_waiting_video_gets_a_slot_before_any_gets_two(database: str) -> None:
    owner = await make_user()
    analyses = [await make_analysis(owner, segments=3) for _ in range(3)]
    first_three = [(await claim()).analysis.id for _ in range(3)]
    assert sorted(first_three) == sorted(analysis.id for analysis in analyses)


async def test_an_owner_with_many_videos_does_not_hold_up_another(database: str) -> None:
    busy, other = await make_user("busy"), await make_user("other")
    for _ in range(5):
        await make_analysis(busy, segments=2)
    single = await make_analysis(other, segments=2)
    owners = [(await claim()).analysis.id == single.id for _ in range(2)]
    assert owners == [False, True]


async def test_priority_decides_between_equals(database: str) -> None:
    owner = await make_user()
    await make_analysis(owner)
    urgent = await make_analysis(owner, priority=1)
    assert (await claim()).analysis.id == urgent.id


async def test_a_late_write_of_a_former_claim_changes_nothing(database: str) -> None:
    await make_analysis(await make_user(), segments=1)
    late = await claim()
    await Segment.filter(id=late.segment.id).update(lease_expires_at=1.0)
    assert await claims.sweep_expired(3) == []
    again = await claim()
    assert again.segment.id == late.segment.id
    assert not await claims.record_segment_progress(late.lease, 4, {"face": 9}, LEASE_SECONDS)
    assert not await claims.finish_segment(late.lease, 5, {"face": 9})
    assert not await claims.release_segment(late.lease)
    assert await claims.finish_segment(again.lease, 5, {"face": 2})
    assert [(total.label, total.detections) for total in await LabelTotal.all()] == [("face", 2)]


async def test_a_segment_whose_worker_vanishes_three_times_is_given_up(database: str) -> None:
    analysis = await make_analysis(await make_user(), segments=1)
    for attempt in range(1, 4):
        claimed = await claim()
        assert claimed.lease.attempts == attempt
        await Segment.filter(id=claimed.segment.id).update(lease_expires_at=1.0)
        exhausted = await claims.sweep_expired(3)
        assert exhausted == ([analysis.id] if attempt == 3 else [])


async def test_an_orderly_release_does_not_count_as_an_attempt(database: str) -> None:
    await make_analysis(await make_user(), segments=1)
    for _ in range(5):
        claimed = await claim()
        assert claimed.lease.attempts == 1
        assert await claims.release_segment(claimed.lease)
    assert await claims.release_segment((await claim()).lease, "it broke")
    assert (await claim()).lease.attempts == 2


async def test_pausing_stops_running_segments_and_resuming_makes_them_claimable(database: str) -> None:
    owner = await make_user()
    analysis = await make_analysis(owner, segments=1)
    running = await claim()
    assert await claims.record_segment_progress(running.lease, 1, {}, LEASE_SECONDS)
    await change_status(owner.id, analysis.id, Action.PAUSE)
    assert not await claims.record_segment_progress(running.lease, 2, {}, LEASE_SECONDS)
    assert await claims.release_segment(running.lease)
    assert await claims.claim_segment(LEASE_SECONDS) is None
    await change_status(owner.id, analysis.id, Action.RESUME)
    assert (await claim()).segment.id == running.segment.id


async def test_steering_twice_changes_nothing_and_the_impossible_is_a_conflict(database: str) -> None:
    owner = await make_user()
    analysis = await make_analysis(owner)
    for _ in range(2):
        assert (await change_status(owner.id, analysis.id, Action.CANCEL)).status == AnalysisStatus.CANCELLED
    for action in (Action.PAUSE, Action.RESUME):
        with pytest.raises(ConflictError, match="CANCELLED"):
            await change_status(owner.id, analysis.id, action)
    with pytest.raises(NotFoundError):
        await change_status((await make_user("eve")).id, analysis.id, Action.CANCEL)


async def test_progress_counts_running_segments_and_never_goes_back(database: str) -> None:
    analysis = await make_analysis(await make_user(), segments=2)
    first, second = await claim(), await claim()
    await claims.record_segment_progress(first.lease, 4, {"face": 3}, LEASE_SECONDS)
    await claims.record_segment_progress(second.lease, 2, {"face": 1, "person": 2}, LEASE_SECONDS)
    before = await take_snapshot(analysis.id)
    assert before is not None
    assert (before.frames_done, before.frames_total, before.progress) == (6, 10, 60.0)
    assert {count.label: count.detections for count in before.counts} == {"face": 4, "person": 2}
    await claims.release_segment(second.lease)
    after = await take_snapshot(analysis.id)
    assert after is not None
    assert after.frames_done == 6
    assert after.progress == 60.0


async def test_finished_segments_add_up_and_tracks_are_written_once(database: str) -> None:
    analysis = await make_analysis(await make_user(), segments=2)
    for counts in ({"face": 2}, {"face": 3, "person": 1}):
        assert await claims.finish_segment((await claim()).lease, 5, counts)
    claimed = await claims.claim_advance(LEASE_SECONDS)
    assert claimed is not None
    lease, _ = claimed
    track = TrackSummary(1, "face", 0.0, 0.4, 2, 1.5)
    assert await record_tracked_segment(lease, 0, [track], {"face": 1})
    assert not await record_tracked_segment(lease, 0, [track], {"face": 1})
    longer = TrackSummary(1, "face", 0.0, 0.9, 5, 4.0)
    assert await record_tracked_segment(
        lease, 1, [longer, TrackSummary(2, "person", 0.5, 0.5, 1, 0.9)], {"face": 1, "person": 1}
    )
    snapshot = await take_snapshot(analysis.id)
    assert snapshot is not None
    assert [(count.label, count.detections, count.tracks) for count in snapshot.counts] == [
        ("face", 5, 1),
        ("person", 1, 1),
    ]
    tracks = await Track.filter(analysis_id=analysis.id).order_by("track_id")
    assert [(one.track_id, one.last_seconds, one.detection_count) for one in tracks] == [
        (1, 0.9, 5),
        (2, 0.5, 1),
    ]
    assert tracks[0].first_seconds == 0.0


async def test_a_new_timeline_starts_the_plan_anew(database: str) -> None:
    analysis = await make_analysis(await make_user(), segments=2)
    running = await claim()
    await claims.forget_plan(UUID(str(analysis.video_id)))
    assert await Segment.filter(analysis_id=analysis.id).count() == 0
    assert not await claims.finish_segment(running.lease, 5, {"face": 1})
    assert await claims.claim_advance(LEASE_SECONDS) is not None


async def test_the_same_idempotency_key_gives_the_same_analysis(database: str) -> None:
    owner = await make_user()
    video = await make_video(owner)
    made = await asyncio.gather(*(create_analysis(owner.id, video, SETTINGS, "key") for _ in range(5)))
    assert Counter(one.id for one in made) == {made[0].id: 5}
    with pytest.raises(IdempotencyMismatchError):
        await create_analysis(owner.id, video, AnalysisSettings("opencv-haar-face", frame_stride=2), "key")
    other = await make_user("other")
    assert (await create_analysis(other.id, await make_video(other), SETTINGS, "key")).id != made[0].id


async def test_a_crashed_advance_is_taken_up_again(database: str) -> None:
    analysis = await make_analysis(await make_user(), segments=1)
    await claims.finish_segment((await claim()).lease, 5, {})
    first = await claims.claim_advance(LEASE_SECONDS)
    assert first is not None
    assert await claims.claim_advance(LEASE_SECONDS) is None
    await Analysis.filter(id=analysis.id).update(lease_expires_at=1.0)
    await claims.sweep_expired(3)
    second = await claims.claim_advance(LEASE_SECONDS)
    assert second is not None
    assert second[0].fence == first[0].fence + 1
    assert not await record_tracked_segment(first[0], 0, [], {})
    assert await Segment.filter(status=SegmentStatus.DONE).count() == 1


async def test_a_snapshot_survives_its_way_between_processes(database: str) -> None:
    analysis = await make_analysis(await make_user(), segments=1)
    await claims.finish_segment((await claim()).lease, 5, {"face": 2})
    snapshot = await take_snapshot(analysis.id)
    assert snapshot is not None
    assert ProgressSnapshot.from_json(snapshot.to_json()) == snapshot


async def test_reused_detections_say_nothing_about_speed(database: str) -> None:
    analysis = await make_analysis(await make_user(), segments=2)
    await claims.finish_segment((await claim()).lease, 5, {}, reused=True)
    reused = await take_snapshot(analysis.id)
    assert reused is not None
    assert (reused.frames_done, reused.frames_per_second, reused.eta_seconds) == (5, None, None)
    await claims.record_segment_progress((await claim()).lease, 2, {}, LEASE_SECONDS)
    await Analysis.filter(id=analysis.id).update(active_seconds=100.0)
    working = await take_snapshot(analysis.id)
    assert working is not None
    assert working.frames_per_second == pytest.approx(0.02, abs=0.005)
    assert working.eta_seconds == pytest.approx(150, abs=20)
