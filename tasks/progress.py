"""Pushing progress to whoever watches."""

import time
from uuid import UUID

from domain.analyses.progress import publish, take_snapshot
from tasks.redis_clients import try_redis
from tasks.runtime import Runtime


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
    await try_redis("progress is not pushed", lambda: publish(runtime.redis, snapshot))
