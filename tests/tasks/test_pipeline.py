"""From a file to its results, with real clips, real models and real processes."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from domain.analyses.files import ResultFormat
from domain.analyses.models import Analysis, AnalysisStatus, Segment, SegmentStatus, Track, Tracker
from domain.analyses.service import apply, change_status, create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.analyses.transitions import Action
from domain.videos.files import timeline_key
from domain.videos.models import Video, VideoStatus
from media.timeline import Timeline
from tasks.steps import detect
from tests.ml_models import walkthrough
from tests.tasks.harness import harness

MARKER = AnalysisSettings("frame-marker", tracker=Tracker.NONE, min_confidence=0.0)


def decoded_timestamps(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


async def test_every_frame_is_looked_at_once_with_its_own_time(plugin, tmp_path, media_dir):
    clips = [
        media_dir / "nasa_13013.mp4",
        media_dir / "gestures" / "book.mkv",
        media_dir / "bottle-detection.mp4",
    ]
    async with harness(tmp_path / "data", None) as work:
        for clip in clips:
            analysis = await work.analyse(clip, MARKER)
            assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
            frames = json.loads(await work.result(analysis, ResultFormat.JSON))["frames"]
            expected = decoded_timestamps(clip)
            assert [frame["frameIndex"] for frame in frames] == list(range(len(expected)))
            assert [frame["timestampSeconds"] for frame in frames] == pytest.approx(expected, abs=1e-9)
            assert all(len(frame["detections"]) == 1 for frame in frames)
            assert analysis.frames_total == analysis.frames_done == len(expected)


@pytest.mark.parametrize(
    ("clip", "settings"),
    [
        ("short_hamilton_clip.mp4", AnalysisSettings("yunet-2026may", min_confidence=0.6)),
        (
            "one-by-one-person-detection.mp4",
            AnalysisSettings(
                "yolox-nano", min_confidence=0.3, start_seconds=20, end_seconds=48, frame_stride=2
            ),
        ),
    ],
)
async def test_slots_and_segment_length_do_not_change_a_byte(
    clip, settings, tmp_path, media_dir, weights_dir
):
    results = []
    for number, (slots, segment_seconds) in enumerate([(1, 3600.0), (2, 1.0), (2, 0.0)]):
        changes = {"slots": slots, "segment_seconds": segment_seconds}
        async with harness(tmp_path / str(number), weights_dir, **changes) as work:
            analysis = await work.analyse(media_dir / clip, settings)
            assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
            segments = await Segment.filter(analysis_id=analysis.id).count()
            assert (segments == 1) == (number == 0)
            results.append(
                {form: await work.result(analysis, form) for form in ResultFormat if form != "PARQUET"}
            )
    assert json.loads(results[0][ResultFormat.JSON])["tracks"]
    assert results[0] == results[1] == results[2]


async def test_progress_is_live_and_never_goes_back(tmp_path, media_dir, weights_dir):
    async with harness(tmp_path / "data", weights_dir) as work:
        analysis = await work.analyse(media_dir / "bottle-detection.mp4", AnalysisSettings("yunet-2026may"))
        snapshots = [one for one in work.progress.snapshots if one.analysis_id == analysis.id]
        progress = [snapshot.progress for snapshot in snapshots]
        assert progress == sorted(progress)
        assert len(set(progress)) > 5
        assert snapshots[-1].status == AnalysisStatus.SUCCEEDED
        assert (progress[-1], snapshots[-1].frames_done) == (100.0, 1189)


async def test_one_video_runs_on_every_slot_and_two_run_side_by_side(plugin, tmp_path, media_dir):
    async with harness(tmp_path / "data", None) as work:
        slow = AnalysisSettings("sleeps", tracker=Tracker.NONE, min_confidence=0.0)
        first = await create_analysis(
            work.owner.id, await work.add_video(media_dir / "bottle-detection.mp4"), slow
        )
        working = asyncio.create_task(work.work())
        await _until(lambda: Segment.filter(analysis_id=first.id, status=SegmentStatus.RUNNING).count(), 2)
        second = await create_analysis(
            work.owner.id, await work.add_video(media_dir / "nasa_13013.mp4"), slow
        )
        await change_status(work.owner.id, first.id, Action.PAUSE)
        await _until(lambda: Analysis.filter(status=AnalysisStatus.RUNNING).count(), 1)
        await change_status(work.owner.id, second.id, Action.PAUSE)
        await working
        for analysis in (first, second):
            await change_status(work.owner.id, analysis.id, Action.RESUME)
        working = asyncio.create_task(work.work())
        for analysis in (first, second):
            running = Segment.filter(analysis_id=analysis.id, status=SegmentStatus.RUNNING)
            await _until(running.count, 1)
        for analysis in (first, second):
            await change_status(work.owner.id, analysis.id, Action.CANCEL)
        await working


async def _until(count, wanted: int) -> None:
    async with asyncio.timeout(60):
        while await count() != wanted:
            await asyncio.sleep(0.05)


async def test_pausing_ends_the_work_and_resuming_ends_in_the_same_result(tmp_path, media_dir, weights_dir):
    settings = AnalysisSettings("yunet-2026may", min_confidence=0.6)
    async with harness(tmp_path / "data", weights_dir) as work:
        video = await work.add_video(media_dir / "bottle-detection.mp4")
        analysis = await create_analysis(work.owner.id, video, settings)
        working = asyncio.create_task(work.work())
        await _until(lambda: Segment.filter(status=SegmentStatus.DONE, number=0).count(), 1)
        await change_status(work.owner.id, analysis.id, Action.PAUSE)
        await working
        assert await Segment.filter(status=SegmentStatus.RUNNING).count() == 0
        assert await Segment.filter(status=SegmentStatus.WAITING).count() > 0
        await change_status(work.owner.id, analysis.id, Action.RESUME)
        await work.work()
        paused = await work.result(analysis, ResultFormat.JSON)
    async with harness(tmp_path / "undisturbed", weights_dir) as work:
        analysis = await work.analyse(media_dir / "bottle-detection.mp4", settings)
        assert paused == await work.result(analysis, ResultFormat.JSON)


async def test_segments_are_tracked_together_or_each_by_itself_with_the_same_result(
    plugin, tmp_path, media_dir, monkeypatch
):
    results, turns = [], []
    for seconds in (0.0, 1000.0):
        monkeypatch.setattr("tasks.steps.detect.TRACK_SECONDS", seconds)
        async with harness(tmp_path / str(seconds), None, slots=1, segment_seconds=1.0) as work:
            analysis = await work.analyse(media_dir / "nasa_13013.mp4", MARKER)
            assert analysis.status == AnalysisStatus.SUCCEEDED
            assert analysis.segment_count > 3
            turns.append(analysis.fence)
            results.append(await work.result(analysis, ResultFormat.JSON))
    assert results[0] == results[1]
    assert turns[1] == 2 < turns[0]


async def test_a_rerun_with_another_threshold_computes_nothing_again(plugin, tmp_path, media_dir):
    clip = media_dir / "nasa_13013.mp4"
    async with harness(tmp_path / "data", None) as work:
        await work.analyse(clip, MARKER)
        stored = [key async for key in work.runtime.storage.list("detections")]
        again = await work.analyse(clip, AnalysisSettings("frame-marker", min_confidence=0.3))
        assert sorted(stored) == sorted([key async for key in work.runtime.storage.list("detections")])
        rerun = await work.result(again, ResultFormat.CSV)
    async with harness(tmp_path / "fresh", None) as work:
        fresh = await work.analyse(clip, AnalysisSettings("frame-marker", min_confidence=0.3))
        assert rerun == await work.result(fresh, ResultFormat.CSV)
        assert 0 < rerun.count(b"\n") - 1 < 325


@pytest.mark.parametrize(
    ("model", "reason"), [("crashes", "signal 11 (SIGSEGV)"), ("raises", "RuntimeError: the lens cap is on")]
)
async def test_trouble_fails_its_own_analysis_with_its_reason(plugin, tmp_path, media_dir, model, reason):
    async with harness(tmp_path / "data", None) as work:
        clip = media_dir / "gestures" / "eat.mkv"
        bad = await create_analysis(
            work.owner.id, await work.add_video(clip), AnalysisSettings(model, min_confidence=0.0)
        )
        good = await work.analyse(clip, MARKER)
        bad = await Analysis.get(id=bad.id)
        assert bad.status == AnalysisStatus.FAILED
        assert reason in str(bad.error_message)
        assert "3 times" in str(bad.error_message)
        assert good.status == AnalysisStatus.SUCCEEDED


async def test_weights_that_cannot_be_had_are_named_with_what_needs_none(tmp_path, media_dir, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    async with harness(tmp_path / "data", None, weights_mirror="http://127.0.0.1:9/none") as work:
        analysis = await work.analyse(media_dir / "gestures" / "eat.mkv", AnalysisSettings("yolox-nano"))
        assert analysis.status == AnalysisStatus.FAILED
        assert "FRAMEWISE_WEIGHTS_MIRROR" in str(analysis.error_message)
        assert "opencv-haar-face" in str(analysis.error_message)


async def test_a_file_that_is_no_video_is_rejected_and_removed(tmp_path):
    path = tmp_path / "letter.mp4"
    path.write_text("Dear video, " * 1000)
    async with harness(tmp_path / "data", None) as work:
        analysis = await work.analyse(path, AnalysisSettings("opencv-haar-face"))
        video = await Video.get(id=analysis.video_id)
        assert video.status == VideoStatus.REJECTED
        assert video.rejection_reason
        assert analysis.status == AnalysisStatus.FAILED
        assert video.rejection_reason in str(analysis.error_message)
        assert [key async for key in work.runtime.storage.list()] == []


async def test_stride_and_time_range_choose_frames_by_their_index_and_time(plugin, tmp_path, media_dir):
    clip = media_dir / "nasa_13013.mp4"
    times = decoded_timestamps(clip)
    settings = AnalysisSettings(
        "frame-marker",
        tracker=Tracker.NONE,
        min_confidence=0.0,
        frame_stride=7,
        start_seconds=3.0,
        end_seconds=9.5,
    )
    async with harness(tmp_path / "data", None) as work:
        analysis = await work.analyse(clip, settings)
        frames = json.loads(await work.result(analysis, ResultFormat.JSON))["frames"]
        expected = [index for index, time in enumerate(times) if 3.0 <= time < 9.5 and index % 7 == 0]
        assert [frame["frameIndex"] for frame in frames] == expected


async def test_an_empty_time_range_fails_with_its_reason(plugin, tmp_path, media_dir):
    settings = AnalysisSettings("frame-marker", min_confidence=0.0, start_seconds=1000)
    async with harness(tmp_path / "data", None) as work:
        analysis = await work.analyse(media_dir / "nasa_13013.mp4", settings)
        assert analysis.status == AnalysisStatus.FAILED
        assert "no frame" in str(analysis.error_message)


async def test_tracks_follow_people_through_the_whole_clip(tmp_path, media_dir, weights_dir):
    settings = AnalysisSettings("yolox-nano", min_confidence=0.4, labels=("person",), frame_stride=2)
    async with harness(tmp_path / "data", weights_dir) as work:
        analysis = await work.analyse(media_dir / "one-by-one-person-detection.mp4", settings)
        tracks = await Track.filter(analysis_id=analysis.id, detection_count__gte=20)
        assert {track.label for track in tracks} == {"person"}
        assert 5 <= len(tracks) <= 8  # one person after the other walks through the picture


async def test_a_cancelled_analysis_leaves_nothing_running(plugin, tmp_path, media_dir):
    async with harness(tmp_path / "data", None) as work:
        video = await work.add_video(media_dir / "nasa_13013.mp4")
        analysis = await create_analysis(
            work.owner.id, video, AnalysisSettings("sleeps", tracker=Tracker.NONE, min_confidence=0.0)
        )
        working = asyncio.create_task(work.work())
        await _until(lambda: Segment.filter(status=SegmentStatus.RUNNING).count(), 2)
        assert await apply(analysis.id, Action.CANCEL)
        await asyncio.wait_for(working, 60)
        assert await Segment.filter(status=SegmentStatus.RUNNING).count() == 0


async def test_the_package_of_the_walk_through_runs_from_file_to_result(tmp_path, monkeypatch, media_dir):
    site = walkthrough.install(tmp_path)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    async with harness(tmp_path / "data", None) as work:
        analysis = await work.analyse(
            media_dir / "nasa_13013.mp4", AnalysisSettings("blue-things", min_confidence=0.5, overlay=True)
        )
        assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
        document = json.loads(await work.result(analysis, ResultFormat.JSON))
        assert len(document["frames"]) == 325
        assert document["settings"]["mlModel"] == "blue-things"


async def _with_a_false_timeline(work, clip: Path) -> Video:
    """A probed video whose stored timeline promises a frame that there is not."""
    video = await work.add_video(clip)
    await work.work()
    timeline = Timeline.from_bytes(await work.runtime.storage.get(timeline_key(video.id)))
    pts = np.insert(timeline.pts, 50, timeline.pts[49] + 1)
    false = replace(timeline, pts=pts, key_frame=np.insert(timeline.key_frame, 50, False))
    await work.runtime.storage.put(timeline_key(video.id), false.to_bytes())
    return await Video.get(id=video.id)


async def test_frames_that_the_packets_did_not_promise_are_counted_by_decoding(plugin, tmp_path, media_dir):
    async with harness(tmp_path / "data", None) as work:
        video = await _with_a_false_timeline(work, media_dir / "nasa_13013.mp4")
        assert video.timeline_kind == "PACKETS"
        analysis = await create_analysis(work.owner.id, video, MARKER)
        await work.work()
        analysis = await Analysis.get(id=analysis.id)
        assert (analysis.status, analysis.frames_done) == (AnalysisStatus.SUCCEEDED, 325)
        assert (await Video.get(id=video.id)).timeline_kind == "FRAMES"


async def test_a_recount_that_fails_fails_the_analysis_with_its_reason(
    plugin, tmp_path, media_dir, monkeypatch
):
    monkeypatch.setattr(detect, "_NEXT_TIMELINE_KIND", {"PACKETS": "NO_SUCH_KIND"})
    async with harness(tmp_path / "data", None) as work:
        video = await _with_a_false_timeline(work, media_dir / "nasa_13013.mp4")
        analysis = await create_analysis(work.owner.id, video, MARKER)
        await work.work()
        analysis = await Analysis.get(id=analysis.id)
        assert analysis.status == AnalysisStatus.FAILED
        assert "NO_SUCH_KIND" in str(analysis.error_message)
