"""The table of resumable uploads."""

from tortoise import fields
from tortoise.models import Model


class Upload(Model):
    """A file on its way in, in as many requests as it takes."""

    id = fields.UUIDField(primary_key=True)
    owner: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.User", related_name="uploads", on_delete=fields.CASCADE
    )
    owner_id: fields.UUIDField  # type: ignore[type-arg]
    filename = fields.CharField(max_length=255)
    size_bytes = fields.BigIntField()
    offset_bytes = fields.BigIntField(default=0)
    """What lies safely in the storage."""
    fence = fields.BigIntField(default=0)
    """Counted up by each request that takes over writing; a former one's late word is refused."""
    storage_key = fields.CharField(max_length=255)
    storage_state = fields.TextField(default="")
    """What the storage needs to go on writing the file."""
    settings = fields.TextField(null=True)
    """JSON of the settings of the analysis to start when it is complete."""
    idempotency_key = fields.CharField(max_length=255, null=True)
    idempotency_hash = fields.CharField(max_length=64, null=True)
    """Of the input, which a repeated key is compared by."""
    video_id = fields.UUIDField(null=True)
    """The video it became."""
    expires_at = fields.DatetimeField()
    created_at = fields.DatetimeField(auto_now_add=True)

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are stored; it may still have to become a video."""
        return bool(self.offset_bytes == self.size_bytes)

    class Meta:
        table = "uploads"
        unique_together = (("owner_id", "idempotency_key"),)
        indexes = (("expires_at",), ("owner_id", "created_at"))
