"""Accounts with one of everything, each text of it with a word by which it is known again."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tortoise.transactions import in_transaction

from domain.accounts.audit import AuditKind, Caller, Person, record
from domain.accounts.models import User
from domain.analyses.files import tracked_key
from domain.analyses.models import Analysis, AnalysisStatus, LabelTotal, Segment, Track
from domain.analyses.options import (
    Counting,
    CountingLine,
    DetectionOptions,
    Tiling,
    TrackingOptions,
    Zone,
    stored_options,
)
from domain.events import EventKind, record_event
from domain.uploads.models import Upload
from domain.videos.models import Video, VideoStatus
from graphql_api.relay import global_id
from storage.base import AbstractStorage
from tests.graphql_api.people.possessions import give_people
from tests.tasks.tables import tracked, with_masks


@dataclass(frozen=True)
class Possessions:
    """Ids of what somebody has, as the API gives them."""

    word: str
    """Stands in all texts."""
    address: str
    user: str
    video: str
    rejected: str
    analysis: str
    running: str
    failed: str
    upload: str
    person: str
    second_person: str
    appearance: str
    change: str
    raw_video: str
    """The key of a video as it is, not as a global id."""

    def secrets(self) -> set[str]:
        """Texts that nobody else may be shown."""
        return set(vars(self).values())


async def give_everything(owner: User, storage: AbstractStorage, word: str, address: str) -> Possessions:
    """Make an object of every kind for an account."""
    caller = Caller(address, f"{word}-browser")
    video = await _video(owner, word, VideoStatus.READY)
    rejected = await _video(owner, word, VideoStatus.REJECTED, rejection_reason=f"{word}: no video")
    analysis = await _analysis(owner, word, video, AnalysisStatus.SUCCEEDED)
    running = await _analysis(owner, word, video, AnalysisStatus.RUNNING)
    failed = await _analysis(owner, word, video, AnalysisStatus.FAILED)
    table = tracked([(0, 0.0, [(f"{word}-label", 0.9, (1.0, 2.0, 3.0, 4.0), 1)])])
    table = with_masks(table, [{"size": [4, 4], "counts": "92118"}], [1.0, 2.0])
    for one in (analysis, running, failed):
        await storage.put(tracked_key(one.id, 0), table.to_parquet())
    await storage.put(tracked_key(analysis.id, 1), tracked([(1, 1.0, [])]).to_parquet())
    upload = await Upload.create(
        id=uuid4(),
        owner_id=owner.id,
        filename=f"{word}.mp4",
        size_bytes=9,
        offset_bytes=9,
        storage_key=f"uploads/{word}-{uuid4()}",
        idempotency_key="owner-key",
        idempotency_hash="x" * 64,
        video_id=video.id,
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    for number in range(2):
        await Upload.create(
            id=uuid4(),
            owner_id=owner.id,
            filename=f"{word}-{number}.mp4",
            size_bytes=9,
            storage_key=f"uploads/{word}-{uuid4()}",
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )
    people = await give_people(owner, video, (analysis, running), word)
    for kind in AuditKind:
        await record(kind, Person(owner.id, owner.username), caller, subject_id=video.id)
    async with in_transaction() as connection:
        for kind in EventKind:
            message = f"{word}: the reason"
            await record_event(
                connection, owner.id, kind, video_id=video.id, analysis_id=analysis.id, message=message
            )
    return Possessions(
        word=word,
        address=address,
        user=global_id("User", owner.id),
        video=global_id("Video", video.id),
        rejected=global_id("Video", rejected.id),
        analysis=global_id("Analysis", analysis.id),
        running=global_id("Analysis", running.id),
        failed=global_id("Analysis", failed.id),
        upload=global_id("ResumableUpload", upload.id),
        person=global_id("Person", people.first.id),
        second_person=global_id("Person", people.second.id),
        appearance=global_id("Appearance", people.appearance.id),
        change=global_id("PersonChange", people.change.id),
        raw_video=str(video.id),
    )


async def _video(owner: User, word: str, status: VideoStatus, **more: object) -> Video:
    return await Video.create(
        id=uuid4(),
        owner_id=owner.id,
        title=f"{word}-title",
        filename=f"{word}.mp4",
        external_id=f"{word}-external",
        status=status,
        storage_key=f"uploads/{word}-{uuid4()}",
        size_bytes=7,
        sha256=f"{word:0<64}",
        source_url=f"https://{word}.example/clip.mp4",
        container="mov,mp4",
        codec=f"{word}-codec",
        width=640,
        height=480,
        duration_seconds=2.0,
        frame_count=50,
        average_fps=25.0,
        is_variable_frame_rate=True,
        time_base="1/1000",
        has_thumbnail=True,
        idempotency_key="owner-key",
        idempotency_index=0 if status is VideoStatus.READY else 1,
        idempotency_hash="x" * 64,
        **more,
    )


async def _analysis(owner: User, word: str, video: Video, status: AnalysisStatus) -> Analysis:
    is_running = status is AnalysisStatus.RUNNING
    analysis = await Analysis.create(
        id=uuid4(),
        owner_id=owner.id,
        video_id=video.id,
        ml_model="opencv-haar-face",
        tracker="BYTE_TRACK",
        frame_stride=1,
        create_people=True,
        min_confidence=0.5,
        labels=[f"{word}-label"],
        start_seconds=0.5,
        end_seconds=1.5,
        overlay=True,
        crops=True,
        pictures=True,
        detection_options=stored_options(
            DetectionOptions(region=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), tiling=Tiling(), motion_gating=True)
        ),
        tracking_options=stored_options(TrackingOptions(1.0, 0.5, 2, 0.6, 0.6, 0.4, 0.3, 2)),
        counting=stored_options(
            Counting(
                (CountingLine(f"{word}-line", (0.0, 0.5), (1.0, 0.5), (f"{word}-label",)),),
                (Zone(f"{word}-zone", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), (f"{word}-label",)),),
            )
        ),
        counted={
            "lines": [{"name": f"{word}-line", "in": 1, "out": 2, "by_label": {f"{word}-label": [1, 2]}}],
            "zones": [
                {
                    "name": f"{word}-zone",
                    "occupancy": 1,
                    "entries": 2,
                    "exits": 1,
                    "mean_dwell_seconds": 3.5,
                    "by_label": {f"{word}-label": [1, 2, 1]},
                }
            ],
        },
        status=status,
        error_message=f"{word}: it broke" if status is AnalysisStatus.FAILED else None,
        segment_count=2,
        tracked_segments=1,
        frames_total=50,
        frames_finished=25,
        frames_done=25,
        has_overlay=True,
        advance_due=False,
        active_seconds=10.0,
        running_since=time.time() if is_running else None,
        idempotency_key=f"key of {status.value}",
        started_at=datetime.now(UTC),
        finished_at=None if is_running else datetime.now(UTC),
    )
    plan = {"start_pts": 0, "end_pts": None, "first_frame_index": 0, "frame_count": 50}
    await Segment.create(
        id=uuid4(), analysis_id=analysis.id, number=0, plan=plan, frames_total=50, status="DONE"
    )
    await LabelTotal.create(analysis_id=analysis.id, label=f"{word}-label", detections=1, tracks=1)
    await Track.create(
        id=uuid4(),
        analysis_id=analysis.id,
        track_id=1,
        label=f"{word}-label",
        first_seconds=0.0,
        last_seconds=1.0,
        detection_count=2,
        confidence_sum=1.5,
    )
    return analysis
