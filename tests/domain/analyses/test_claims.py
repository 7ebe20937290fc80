"""Claims, fencing, fairness, totals: on SQLite and PostgreSQL."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest

from domain.analyses import claims
from domain.analyses.advances import claim_advance, forget_plan, release_advance, reopen_segment
from domain.analyses.models import Analysis, AnalysisStatus, LabelTotal, Segment, SegmentStatus, Track
from domain.analyses.progress import ProgressSnapshot, take_snapshot
from domain.analyses.service import AnalysisLimits, change_status, create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.analyses.sweeping import sweep_expired
from domain.analyses.tracks import TrackSummary, record_tracked_segment, restart_tracking
from domain.analyses.transitions import Action
from domain.errors import ConflictError, IdempotencyMismatchError, LimitExceededError, NotFoundError
from domain.leases import VANISHED, Ending, Patience
from domain.videos.models import Video, VideoStatus
from tests.domain.analyses.rows import (
    LEASE_SECONDS,
    SETTINGS,
    advance,
    claim,
    make_analysis,
    make_user,
    make_video,
)

PATIENCE = Patience(max_attempts=3, max_interruptions=4)


async def test_nobody_advances_an_analysis_before_its_video_is_probed(database: str) -> None:
    owner = await make_user()
    video = await make_video(owner)
    await Video.filter(id=video.id).update(status=VideoStatus.PROBING)
    await create_analysis(owner.id, video, SETTINGS)
    assert await claim_advance(owner.id, LEASE_SECONDS) is None
    await Video.filter(id=video.id).update(status=VideoStatus.READY)
    assert await claim_advance(owner.id, LEASE_SECONDS) is not None
    assert await claim_advance(owner.id, LEASE_SECONDS) is None


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
    assert await sweep_expired(PATIENCE) == []
    again = await claim()
    assert again.segment.id == late.segment.id
    assert not await claims.record_segment_progress(late.lease, 4, {"face": 9}, LEASE_SECONDS)
    assert not await claims.finish_segment(late.lease, 5, {"face": 9})
    assert not await claims.release_segment(late.lease)
    assert await claims.finish_segment(again.lease, 5, {"face": 2})
    assert [(total.label, total.detections) for total in await LabelTotal.all()] == [("face", 2)]


async def test_a_segment_whose_worker_vanishes_again_and_again_is_given_up(database: str) -> None:
    analysis = await make_analysis(await make_user(), segments=1)
    for number in range(1, 5):
        claimed = await claim()
        assert (claimed.lease.attempts, claimed.lease.interruptions) == (1, number - 1)
        await Segment.filter(id=claimed.segment.id).update(lease_expires_at=1.0)
        exhausted = await sweep_expired(PATIENCE)
        assert exhausted == ([analysis.id] if number == 4 else [])
        assert (await Segment.get(id=claimed.segment.id)).last_failure == VANISHED


async def test_how_a_claim_ends_decides_what_it_counts_as(database: str) -> None:
    await make_analysis(await make_user(), segments=1)
    for _ in range(5):
        claimed = await claim()
        assert claimed.lease.attempts == 1
        assert await claims.release_segment(claimed.lease)
    assert await claims.release_segment((await claim()).lease, Ending.FAILED, "it broke")
    assert await claims.release_segment((await claim()).lease, Ending.INTERRUPTED, "somebody killed it")
    lease = (await claim()).lease
    assert (lease.attempts, lease.interruptions) == (2, 1)
    assert not lease.is_hopeless(Ending.FAILED, PATIENCE)
    assert lease.is_hopeless(Ending.FAILED, Patience(max_attempts=2, max_interruptions=9))
    assert lease.is_hopeless(Ending.INTERRUPTED, Patience(max_attempts=9, max_interruptions=2))
    assert not lease.is_hopeless(Ending.ORDERLY, Patience(max_attempts=1, max_interruptions=1))


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
    owner = await make_user()
    analysis = await make_analysis(owner, segments=2)
    for counts in ({"face": 2}, {"face": 3, "person": 1}):
        assert await claims.finish_segment((await claim()).lease, 5, counts)
    lease, _ = await advance(owner)
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
    owner = await make_user()
    analysis = await make_analysis(owner, segments=2)
    running = await claim()
    await forget_plan(UUID(str(analysis.video_id)))
    assert await Segment.filter(analysis_id=analysis.id).count() == 0
    assert not await claims.finish_segment(running.lease, 5, {"face": 1})
    await advance(owner)


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
    owner = await make_user()
    analysis = await make_analysis(owner, segments=1)
    await claims.finish_segment((await claim()).lease, 5, {})
    first, _ = await advance(owner)
    assert await claim_advance(owner.id, LEASE_SECONDS) is None
    await Analysis.filter(id=analysis.id).update(lease_expires_at=1.0)
    await sweep_expired(PATIENCE)
    second, _ = await advance(owner)
    assert second.fence == first.fence + 1
    assert (second.attempts, second.interruptions) == (1, 1)
    assert not await record_tracked_segment(first, 0, [], {})
    assert not await restart_tracking(first)
    assert not await reopen_segment(first, 0)
    assert not await release_advance(first, due=True)
    assert await Segment.filter(status=SegmentStatus.DONE).count() == 1


async def test_a_segment_whose_detections_are_gone_is_detected_again(database: str) -> None:
    owner = await make_user()
    analysis = await make_analysis(owner, segments=2)
    for counts in ({"face": 2}, {"face": 3, "person": 1}):
        assert await claims.finish_segment((await claim()).lease, 5, counts)
    lease, _ = await advance(owner)
    assert await reopen_segment(lease, 1)
    assert not await reopen_segment(lease, 1)
    before = await take_snapshot(analysis.id)
    assert before is not None
    assert {count.label: count.detections for count in before.counts} == {"face": 2, "person": 0}
    again = await claim()
    assert again.segment.number == 1
    await claims.finish_segment(again.lease, 5, {"face": 3, "person": 1})
    row = await Analysis.get(id=analysis.id)
    assert (row.frames_finished, row.advance_due) == (10, True)
    totals = {total.label: total.detections for total in await LabelTotal.all()}
    assert totals == {"face": 5, "person": 1}


async def test_segments_may_wait_for_each_other_but_not_the_last_one(database: str) -> None:
    owner = await make_user()
    analysis = await make_analysis(owner, segments=3)
    for is_due in (False, False, True):
        assert await claims.finish_segment((await claim()).lease, 5, {}, may_wait=True)
        assert (await Analysis.get(id=analysis.id)).advance_due is is_due
    lease, _ = await advance(owner)
    assert await reopen_segment(lease, 1)
    assert await claims.finish_segment((await claim()).lease, 5, {}, may_wait=True)
    assert (await Analysis.get(id=analysis.id)).advance_due


async def test_what_is_due_stays_due_while_other_segments_wait(database: str) -> None:
    owner = await make_user()
    analysis = await make_analysis(owner, segments=3)
    for may_wait in (False, True):
        assert await claims.finish_segment((await claim()).lease, 5, {}, may_wait=may_wait)
        assert (await Analysis.get(id=analysis.id)).advance_due


async def test_tracking_that_begins_anew_forgets_every_track(database: str) -> None:
    owner = await make_user()
    analysis = await make_analysis(owner, segments=1)
    await claims.finish_segment((await claim()).lease, 5, {"face": 2})
    lease, _ = await advance(owner)
    assert await record_tracked_segment(lease, 0, [TrackSummary(1, "face", 0.0, 0.4, 2, 1.5)], {"face": 1})
    assert await restart_tracking(lease)
    assert await Track.all().count() == 0
    row = await Analysis.get(id=analysis.id)
    assert (row.tracked_segments, row.interruptions) == (0, 1)
    assert [total.tracks for total in await LabelTotal.all()] == [0]


async def test_a_restart_keeps_what_was_finished_and_tries_the_rest_as_if_new(database: str) -> None:
    owner = await make_user()
    analysis = await make_analysis(owner, segments=3)
    assert await claims.finish_segment((await claim()).lease, 5, {"face": 2})
    poisoned = await claim()
    await claims.release_segment(poisoned.lease, Ending.FAILED, "crashed")
    still_running = await claim()
    await change_status(owner.id, analysis.id, Action.CANCEL)
    with pytest.raises(ConflictError, match="CANCELLED"):
        await change_status(owner.id, analysis.id, Action.RESUME)
    for _ in range(2):
        restarted = await change_status(owner.id, analysis.id, Action.RESTART)
        assert (restarted.status, restarted.finished_at) == (AnalysisStatus.QUEUED, None)
    segments = await Segment.filter(analysis_id=analysis.id).order_by("number")
    assert [segment.status for segment in segments] == ["DONE", "WAITING", "WAITING"]
    assert [segment.attempts for segment in segments[1:]] == [0, 0]
    again = [await claim(), await claim()]
    assert [one.lease.attempts for one in again] == [1, 1]
    assert not await claims.finish_segment(still_running.lease, 5, {"face": 100})


async def test_there_is_a_limit_on_unfinished_analyses(database: str) -> None:
    owner, other = await make_user(), await make_user("other")
    video = await make_video(owner)
    made = [await create_analysis(owner.id, video, SETTINGS, limits=AnalysisLimits(2, 3)) for _ in range(2)]
    with pytest.raises(LimitExceededError, match="max_unfinished_analyses_per_user"):
        await create_analysis(owner.id, video, SETTINGS, limits=AnalysisLimits(2, 3))
    others = await make_video(other)
    await create_analysis(other.id, others, SETTINGS, limits=AnalysisLimits(2, 3))
    with pytest.raises(LimitExceededError, match=r"max_unfinished_analyses\)"):
        await create_analysis(other.id, others, SETTINGS, limits=AnalysisLimits(2, 3))
    await change_status(owner.id, made[0].id, Action.CANCEL)
    await create_analysis(owner.id, video, SETTINGS, limits=AnalysisLimits(2, 3))


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
