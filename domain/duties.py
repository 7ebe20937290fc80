"""Duties that one worker at a time has, such as sweeping."""

import time

from tortoise import fields
from tortoise.models import Model

from domain.sql import fetch_rows


class Duty(Model):
    """Who has a duty, and until when."""

    name = fields.CharField(max_length=64, primary_key=True)
    holder = fields.CharField(max_length=128)
    expires_at = fields.FloatField()
    """Seconds since the epoch."""

    class Meta:
        table = "duties"


async def take_duty(name: str, holder: str, seconds: float) -> bool:
    """Take or keep a duty for so long; False while another holder has it."""
    now = time.time()
    rows = await fetch_rows(
        "INSERT INTO duties (name, holder, expires_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at "
        "WHERE duties.expires_at < $4 OR duties.holder = excluded.holder RETURNING name",
        name,
        holder,
        now + seconds,
        now,
    )
    return bool(rows)
