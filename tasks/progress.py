"""Pushing progress to whoever watches."""

import logging
import time
from uuid import UUID

from redis.exceptions import RedisError

from domain.analyses.progress import publish, take_snapshot
from tasks.runtime import Runtime

log = logging.getLogger(__name__)


async def push_progress(runtime: Runtime, analysis_id: UUID, *, now: bool = False) -> None:
    """Publish the present state of an analysis, at most once an interval unless it is to be `now`.

    Progress is a courtesy: that Redis is away stops no work, watchers read the database meanwhile.
    """
    clock = time.monotonic()
    last = runtime.last_published.get(analysis_id, 0.0)
    if not now and clock - last < runtime.settings.progress_interval_seconds:
        return
    runtime.last_published[analysis_id] = clock
    snapshot = await take_snapshot(analysis_id)
    if snapshot is None:
        runtime.last_published.pop(analysis_id, None)
        return
    if snapshot.status.is_final:
        runtime.last_published.pop(analysis_id, None)
    try:
        await publish(runtime.redis, snapshot)
    except (RedisError, OSError) as error:
        log.warning("progress of analysis %s was not pushed: %s", analysis_id, error)
