"""The tables of accounts: users, their sessions, the refresh tokens of a session."""

from uuid import UUID

from tortoise import fields
from tortoise.models import Model


class User(Model):
    """An account."""

    id = fields.UUIDField(primary_key=True)
    username = fields.CharField(max_length=64)
    """As the person wrote it, in Unicode's NFKC form."""
    username_key = fields.CharField(max_length=192, unique=True)
    """The username case-folded: what must be unique and what sign-in looks for."""
    email = fields.CharField(max_length=254, null=True)
    full_name = fields.CharField(max_length=200, null=True)
    password_hash = fields.CharField(max_length=255)
    is_admin = fields.BooleanField(default=False)
    """Whether it may change what all accounts share, such as the uploaded models."""
    created_at = fields.DatetimeField(auto_now_add=True)
    event_count = fields.BigIntField(default=0)
    """The number of its newest event; counting up makes writers of events wait for each other."""
    last_served_at = fields.FloatField(default=0.0)
    """When a worker last took up work of this account, in seconds since the epoch."""

    class Meta:
        table = "users"


class Session(Model):
    """One sign-in: the family of refresh tokens that came from it. Access tokens name it."""

    id = fields.UUIDField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "framewise.User", related_name="sessions", on_delete=fields.CASCADE
    )
    user_id: UUID
    created_at = fields.DatetimeField(auto_now_add=True)
    expires_at = fields.DatetimeField()
    """When its newest refresh token expires."""
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "sessions"


class RefreshToken(Model):
    """A refresh token, kept as its hash. Used ones stay, so that a second use is noticed."""

    id = fields.UUIDField(primary_key=True)
    session: fields.ForeignKeyRelation[Session] = fields.ForeignKeyField(
        "framewise.Session", related_name="refresh_tokens", on_delete=fields.CASCADE
    )
    session_id: UUID
    token_hash = fields.CharField(max_length=64, unique=True)
    """SHA-256 of the token, in hex."""
    expires_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "refresh_tokens"
