"""The videos table."""

from enum import StrEnum

from tortoise import fields

from domain.leases import Leased


class VideoStatus(StrEnum):
    """What is known of an uploaded file."""

    PROBING = "PROBING"
    READY = "READY"
    REJECTED = "REJECTED"


class Video(Leased):
    """An uploaded video. Its lease is held by whoever probes it."""

    id = fields.UUIDField(primary_key=True)
    owner: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.User", related_name="videos", on_delete=fields.CASCADE
    )
    owner_id: fields.UUIDField  # type: ignore[type-arg]
    title = fields.CharField(max_length=255)
    filename = fields.CharField(max_length=255)
    external_id = fields.CharField(max_length=255, null=True)
    status = fields.CharEnumField(VideoStatus, default=VideoStatus.PROBING, max_length=16)
    rejection_reason = fields.TextField(null=True)
    storage_key = fields.CharField(max_length=255, null=True)
    """Shared by all videos with the same content; null once the file of a rejected video is removed."""
    size_bytes = fields.BigIntField()
    sha256 = fields.CharField(max_length=64, db_index=True)
    """Empty while its file is still being fetched from `source_url`, or if none was kept."""
    source_url = fields.TextField(null=True)
    """Where it is imported from."""
    container = fields.CharField(max_length=64, null=True)
    codec = fields.CharField(max_length=64, null=True)
    width = fields.IntField(null=True)
    height = fields.IntField(null=True)
    rotation_degrees = fields.IntField(null=True)
    duration_seconds = fields.FloatField(null=True)
    frame_count = fields.IntField(null=True)
    average_fps = fields.FloatField(null=True)
    is_variable_frame_rate = fields.BooleanField(null=True)
    has_audio = fields.BooleanField(null=True)
    time_base = fields.CharField(max_length=64, null=True)
    """Seconds per tick of its presentation times, as a fraction like `1/15360`."""
    timeline_kind = fields.CharField(max_length=16, null=True)
    """How far the timeline can be trusted; see media.timeline."""
    recorded_at = fields.DatetimeField(null=True)
    """When it was filmed, where the file says so."""
    has_thumbnail = fields.BooleanField(default=False)
    idempotency_key = fields.CharField(max_length=255, null=True)
    """The key of the upload it came with; unique for its owner together with `idempotency_index`."""
    idempotency_index = fields.IntField(null=True)
    """Which file of that upload it was."""
    idempotency_hash = fields.CharField(max_length=64, null=True)
    """Of that whole upload: what a repeated key is compared by."""
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "videos"
        unique_together = (("owner_id", "idempotency_key", "idempotency_index"),)
        indexes = (("owner_id", "created_at", "id"), ("status", "lease_expires_at"), ("storage_key",))
