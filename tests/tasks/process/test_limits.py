"""Time limits, and that healthy work never meets them."""

from dataclasses import replace

import pytest

from settings import Settings
from tasks.process.errors import JobTimedOutError
from tasks.process.limits import (
    TimeLimit,
    probe_time_limit,
    segment_time_limit,
    summary_time_limit,
    time_limit,
)
from tasks.process.options import process_options
from tasks.process.protocol import Message
from tests.tasks.process.trial_models import OPTIONS, detect_request, started


async def test_a_job_that_makes_no_progress_is_ended(detect):
    async with started() as process:
        with pytest.raises(JobTimedOutError, match=r"^timed out after 1 s without progress$") as caught:
            await process.request(detect("sleeps"), limit=TimeLimit(60, 1))
        assert not caught.value.is_interruption
        assert not process.is_alive


async def test_a_job_that_takes_too_long_is_ended_though_it_makes_progress(detect):
    async with started() as process:
        with pytest.raises(JobTimedOutError, match=r"^timed out after 0\.5 s$"):
            await process.request(detect("swallows"), limit=TimeLimit(0.5, 60))
        assert not process.is_alive


async def test_decoding_towards_a_late_segment_counts_as_progress(trial_models, media_dir):
    request = detect_request(media_dir / "one-by-one-person-detection.mp4", "quick")
    plan = request.values["plan"]
    # Behind the last frame of a timeline that can only be decoded from the start.
    plan |= {"kind": "SEQUENTIAL", "start_pts": 2**40, "end_pts": None}
    told = []
    options = replace(OPTIONS, progress_interval_seconds=0.0)
    async with started(options) as process:
        with pytest.raises(Exception, match="frames"):
            await process.request(request, told.append)
    packets = [progress["packets_read"] for progress in told]
    assert len(packets) > 100
    assert packets == sorted(packets)
    assert not any(progress.get("frames_done") for progress in told)


@pytest.mark.parametrize("kind", ["PACKETS", "FRAMES", "SEQUENTIAL"])
async def test_scanning_counts_as_progress(media_dir, kind):
    clip = media_dir / "nasa_13013.mp4"
    told = []
    async with started(replace(OPTIONS, progress_interval_seconds=0.0)) as process:
        answer = await process.request(Message("scan", {"source": str(clip), "kind": kind}), told.append)
    assert told[-1]["packets_read"] >= answer.values["frame_count"]
    assert len(told) >= answer.values["frame_count"]


async def test_progress_of_all_kinds_is_told_together(detect):
    told = []
    async with started() as process:
        answer = await process.request(detect("steady"), told.append)
    assert told[-1].keys() == {"packets_read", "frames_done", "counts"}
    assert 0 < len(told) < 1 + answer.values["frames_done"]


def test_limits_grow_with_the_work():
    settings = Settings(base_time_limit_seconds=60, frame_time_limit_seconds=10, stall_seconds=30)
    assert time_limit(settings, 0) == TimeLimit(60, 30)
    assert time_limit(settings, 250) == TimeLimit(2560, 30)
    plan = {"first_frame_index": 1000, "frame_count": 250}
    assert segment_time_limit(settings, plan, 25) == TimeLimit(60 + 250 + 1250, 30)
    assert probe_time_limit(settings, 3 * 2**20) == TimeLimit(90, 30)
    assert summary_time_limit(settings, 250, 100 * 2**20) == TimeLimit(2570, 40)


def test_progress_is_told_more_often_than_a_stall_is_noticed():
    settings = Settings(progress_interval_seconds=600, stall_seconds=60)
    assert process_options(settings, network=False).progress_interval_seconds <= 60 / 4


def test_network_is_allowed_by_remote_files_or_by_the_setting():
    assert not process_options(Settings(), network=False).network
    assert process_options(Settings(), network=True).network
    assert process_options(Settings(analysis_process_network=True), network=False).network
