"""The table of detectors that administrators uploaded."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class OwnModel(Model):
    """A detector of this server's own, an ONNX file with its configuration, for everybody to use."""

    id = fields.UUIDField(primary_key=True)
    name = fields.CharField(max_length=64, unique=True)
    """What users type; it begins with `own-`."""
    sha256 = fields.CharField(max_length=64)
    size_bytes = fields.BigIntField()
    storage_key = fields.CharField(max_length=255, db_index=True)
    config = fields.JSONField[dict[str, Any]]()
    """The checked configuration, of `ml_models.onnx_detector.config.DetectorConfig`."""
    uploaded_by_id = fields.UUIDField()
    """No foreign key: the model stays when the account goes."""
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "own_models"
