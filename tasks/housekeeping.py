"""Clearing away what ended processes left behind."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from domain.accounts.service import delete_expired_sessions
from domain.videos.models import Video
from tasks.runtime import Runtime
from tasks.scratch import remove_dead_scratch

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 3600.0
ABANDONED_SECONDS = 86400.0
"""What is older and belongs to nobody is not part of work that still goes on."""

UPLOADS_PREFIX = "uploads"


async def keep_house(runtime: Runtime) -> None:
    """Remove unfinished writes, uploads that became no video, scratch of dead workers, expired sessions."""
    unfinished = await runtime.storage.remove_abandoned(ABANDONED_SECONDS)
    uploads = await remove_unowned_uploads(runtime)
    await asyncio.to_thread(remove_dead_scratch, runtime.settings.data_dir)
    await delete_expired_sessions()
    if unfinished or uploads:
        log.info("removed %d unfinished files and %d unowned uploads", unfinished, uploads)


async def remove_unowned_uploads(runtime: Runtime, older_than_seconds: float = ABANDONED_SECONDS) -> int:
    """Remove stored uploads that no video refers to: their request died between storing and registering."""
    limit = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
    removed = 0
    async for key in runtime.storage.list(UPLOADS_PREFIX):
        stored = await runtime.storage.stat(key)
        if stored is None or stored.modified_at > limit or await Video.filter(storage_key=key).exists():
            continue
        await runtime.storage.delete(key)
        removed += 1
    return removed


async def keep_house_for_ever(runtime: Runtime) -> None:
    """Keep house now and every `INTERVAL_SECONDS`."""
    while True:
        try:
            await keep_house(runtime)
        except Exception:
            log.exception("housekeeping failed; it is tried again in an hour")
        await asyncio.sleep(INTERVAL_SECONDS)
