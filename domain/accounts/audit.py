"""The audit log: who signed in from where, and what was deleted."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model


class AuditKind(StrEnum):
    """What happened."""

    SIGNED_UP = "SIGNED_UP"
    SIGNED_IN = "SIGNED_IN"
    SIGN_IN_FAILED = "SIGN_IN_FAILED"
    LOCKED_OUT = "LOCKED_OUT"
    SIGNED_OUT = "SIGNED_OUT"
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105 - no password
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 - no password
    VIDEO_DELETED = "VIDEO_DELETED"
    ANALYSIS_DELETED = "ANALYSIS_DELETED"
    ACCOUNT_DELETED = "ACCOUNT_DELETED"


class AuditEntry(Model):
    """One step that matters for security. It outlives the account it tells of."""

    id = fields.UUIDField(primary_key=True)
    kind = fields.CharEnumField(AuditKind, max_length=32)
    user_id = fields.UUIDField(null=True)
    """No foreign key: entries outlive accounts. Null where no account has the username."""
    username = fields.CharField(max_length=64)
    """As it was given."""
    address = fields.CharField(max_length=64, null=True)
    """Where the request came from."""
    user_agent = fields.CharField(max_length=255, null=True)
    subject_id = fields.UUIDField(null=True)
    """What was deleted."""
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "audit_entries"
        indexes = (("user_id", "created_at"), ("created_at",))
