"""The tables of analyses: one ML run over one video, its segments, its tracks, its counts."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from domain.leases import Leased


class AnalysisStatus(StrEnum):
    """Where an analysis stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self in (AnalysisStatus.SUCCEEDED, AnalysisStatus.FAILED, AnalysisStatus.CANCELLED)


class Tracker(StrEnum):
    """The algorithm that joins detections to tracks."""

    NONE = "NONE"
    SORT = "SORT"
    BYTE_TRACK = "BYTE_TRACK"
    OC_SORT = "OC_SORT"
    BOT_SORT = "BOT_SORT"


class SegmentStatus(StrEnum):
    """Where the detection of one segment stands."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"


class Analysis(Leased):
    """One ML run over one video.

    Its lease is held by whoever advances it: plans its segments, joins finished ones to tracks, sums up.
    """

    id = fields.UUIDField(primary_key=True)
    owner: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.User", related_name="analyses", on_delete=fields.CASCADE
    )
    owner_id: fields.UUIDField  # type: ignore[type-arg]
    video: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.Video", related_name="analyses", on_delete=fields.CASCADE
    )
    video_id: fields.UUIDField  # type: ignore[type-arg]

    ml_model = fields.CharField(max_length=128)
    tracker = fields.CharEnumField(Tracker, max_length=16)
    frame_stride = fields.IntField()
    min_confidence = fields.FloatField()
    labels = fields.JSONField[list[str] | None](null=True)
    start_seconds = fields.FloatField(null=True)
    end_seconds = fields.FloatField(null=True)
    create_people = fields.BooleanField(default=False)
    overlay = fields.BooleanField(default=False)
    crops = fields.BooleanField(default=False)
    pictures = fields.BooleanField(default=False)
    detection_options = fields.JSONField[dict[str, Any] | None](null=True)
    """Of `domain.analyses.options.DetectionOptions`; null for the defaults, as the two below."""
    tracking_options = fields.JSONField[dict[str, Any] | None](null=True)
    counting = fields.JSONField[dict[str, Any] | None](null=True)

    status = fields.CharEnumField(AnalysisStatus, default=AnalysisStatus.QUEUED, max_length=16)
    error_message = fields.TextField(null=True)
    priority = fields.IntField(default=0)
    advance_due = fields.BooleanField(default=True)
    """Whether there may be something to plan, track or sum up."""

    segment_count = fields.IntField(null=True)
    """Null until the video is probed and the segments are planned."""
    tracked_segments = fields.IntField(default=0)
    identified_segments = fields.IntField(default=0)
    """Tracked segments whose faces are in the register; see tasks.steps.identify."""
    recreates_people = fields.BooleanField(default=False)
    """Whether it takes up faces of people who were deleted from the register."""
    counted = fields.JSONField[dict[str, Any] | None](null=True)
    """What lines and zones have counted in the tracked segments; see tasks.counting.counter."""
    frames_total = fields.IntField(default=0)
    """Frames to analyse: those of the time range that the stride keeps."""
    frames_finished = fields.IntField(default=0)
    """Frames of finished segments."""
    frames_reused = fields.IntField(default=0)
    """Those of them whose detections an earlier analysis had stored."""
    frames_skipped = fields.IntField(default=0)
    """Of the frames tracked so far, those that the model did not look at."""
    frames_done = fields.IntField(default=0)
    """The most frames ever reported as done; it never goes back, even when a segment is repeated."""
    overlay_frames_done = fields.IntField(default=0)
    has_overlay = fields.BooleanField(default=False)

    active_seconds = fields.FloatField(default=0.0)
    """Time spent RUNNING before `running_since`."""
    running_since = fields.FloatField(null=True)
    """Seconds since the epoch; null while not RUNNING."""

    idempotency_key = fields.CharField(max_length=255, null=True)
    idempotency_hash = fields.CharField(max_length=64, null=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    started_at = fields.DatetimeField(null=True)
    finished_at = fields.DatetimeField(null=True)

    class Meta:
        table = "analyses"
        unique_together = (("owner_id", "idempotency_key"),)
        indexes = (
            ("owner_id", "created_at", "id"),
            ("video_id", "created_at", "id"),
            ("status", "priority", "created_at"),
        )


class Segment(Leased):
    """One piece of a video, from key frame to key frame, that one process detects in."""

    id = fields.UUIDField(primary_key=True)
    analysis: fields.ForeignKeyRelation[Analysis] = fields.ForeignKeyField(
        "framewise.Analysis", related_name="segments", on_delete=fields.CASCADE
    )
    analysis_id: fields.UUIDField  # type: ignore[type-arg]
    number = fields.IntField()
    plan = fields.JSONField[dict[str, Any]]()
    """The bounds; see media.segments.SegmentPlan."""
    status = fields.CharEnumField(SegmentStatus, default=SegmentStatus.WAITING, max_length=16)
    frames_total = fields.IntField()
    frames_done = fields.IntField(default=0)
    counts = fields.JSONField[dict[str, int]](default=dict)
    """Detections by label, of the running attempt or the finished segment."""

    class Meta:
        table = "segments"
        unique_together = (("analysis_id", "number"),)
        indexes = (("analysis_id", "status", "number"), ("status",))


class LabelTotal(Model):
    """Detections and tracks of one label so far: what progress shows."""

    id = fields.IntField(primary_key=True)
    analysis: fields.ForeignKeyRelation[Analysis] = fields.ForeignKeyField(
        "framewise.Analysis", related_name="label_totals", on_delete=fields.CASCADE
    )
    analysis_id: fields.UUIDField  # type: ignore[type-arg]
    label = fields.CharField(max_length=255)
    detections = fields.IntField(default=0)
    tracks = fields.IntField(default=0)

    class Meta:
        table = "label_totals"
        unique_together = (("analysis_id", "label"),)


class Track(Model):
    """One object or person followed through a video."""

    id = fields.UUIDField(primary_key=True)
    analysis: fields.ForeignKeyRelation[Analysis] = fields.ForeignKeyField(
        "framewise.Analysis", related_name="tracks", on_delete=fields.CASCADE
    )
    analysis_id: fields.UUIDField  # type: ignore[type-arg]
    track_id = fields.IntField()
    label = fields.CharField(max_length=255)
    first_seconds = fields.FloatField()
    last_seconds = fields.FloatField()
    detection_count = fields.IntField()
    confidence_sum = fields.FloatField()

    class Meta:
        table = "tracks"
        unique_together = (("analysis_id", "track_id"),)
